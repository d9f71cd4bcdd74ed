//! From a message of the stream to an event, or to what is wrong with it.

use async_nats::HeaderMap;
use ownership_proto::v1::{LeadUnassignedOverdue, OverdueLead, OwnerChange, OwnersChanged};
use prost::Message;
use tonic::Code;

use super::handler::Position;

/// The subjects of all accounts.
pub(super) const SUBJECTS: &str = "leadflip.ownership.v1.changes";

/// What is wrong with an event that cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no event at all.
    #[error("it is no CloudEvent of version 1.0: {0}")]
    NoEvent(String),
    /// A type, or a version of one, that this consumer does not know.
    #[error("its type is {0}, which this consumer does not know")]
    UnknownType(String),
    /// It is of somebody else's making.
    #[error("it is not from the ownership service: its source is {0}")]
    ForeignSource(String),
    /// Its data is of another account than its place.
    #[error("it stands under {subject} and is about account {account_id}")]
    ForeignAccount {
        /// The subject.
        subject: String,
        /// The account.
        account_id: String,
    },
    /// Its data is not what its type says.
    #[error("its data cannot be read: {0}")]
    Unreadable(String),
    /// It contradicts itself.
    #[error("it contradicts itself: {0}")]
    Contradiction(&'static str),
    /// It is about revisions that the log does not have.
    #[error("the log ends at revision {head}, before what it follows")]
    UnknownToTheLog {
        /// Where the log ends.
        head: i64,
    },
    /// Some of its fragments are missing, and nothing else has what they say.
    #[error("fragments of its revision are missing")]
    Incomplete,
    /// The handler does not get it done.
    #[error("it was tried {attempts} times: {error}")]
    Handler {
        /// How often.
        attempts: u32,
        /// What the handler said in the end.
        error: String,
    },
    /// The service refuses what its account needs.
    #[error("it was tried {attempts} times, and the service answers {code:?}: {error}")]
    Refused {
        /// How often.
        attempts: u32,
        /// What the service answered in the end.
        code: Code,
        /// Why, beginning with the reason.
        error: String,
    },
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    Changes(Vec<OwnerChange>),
    Overdue(Vec<OverdueLead>),
}

/// An event, whatever its type: a link of the chain of its account.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) account_id: String,
    /// What it follows.
    pub(super) previous: Position,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) fragment: i32,
    pub(super) fragments: i32,
    pub(super) told: Told,
}

impl Event {
    /// What has been seen with it.
    pub(super) fn end(&self) -> Position {
        Position { history_id: self.previous.history_id.clone(), revision: self.last }
    }
}

/// An event without what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) account_id: String,
    previous: Position,
    pub(super) last: i64,
    /// Whether the log has what it tells.
    in_the_log: bool,
}

impl From<Event> for Link {
    fn from(event: Event) -> Self {
        let Event { account_id, previous, first: _, last, fragment: _, fragments: _, told } = event;
        Self { account_id, previous, last, in_the_log: matches!(told, Told::Changes(_)) }
    }
}

impl Link {
    /// Whether whoever takes this event in reads in the log what another one of the account tells, should that be missing.
    pub(super) fn makes_up_for(&self, other: &Self) -> bool {
        other.in_the_log
            && other.previous.history_id == self.previous.history_id
            && other.last <= self.previous.revision
    }
}

/// Reads a message.
pub(super) fn read(subject: &str, headers: Option<&HeaderMap>, data: &[u8]) -> Result<Event, Fault> {
    let header = |name: &'static str| headers.and_then(|all| all.get(name)).map(|value| value.as_str());
    let wanted = |name| header(name).ok_or_else(|| Fault::NoEvent(format!("it has no {name}")));
    match wanted("ce-specversion")? {
        "1.0" => {}
        other => return Err(Fault::NoEvent(format!("ce-specversion is {other}"))),
    }
    let event = match wanted("ce-type")? {
        "leadflip.ownership.v1.OwnersChanged" => decode::<OwnersChanged>(data)?.into(),
        "leadflip.ownership.v1.LeadUnassignedOverdue" => decode::<LeadUnassignedOverdue>(data)?.into(),
        other => return Err(Fault::UnknownType(other.to_owned())),
    };
    belongs(&event, subject, wanted("ce-source")?)?;
    agrees_with_itself(&event)?;
    Ok(event)
}

fn decode<M: Message + Default>(data: &[u8]) -> Result<M, Fault> {
    M::decode(data).map_err(|error| Fault::Unreadable(error.to_string()))
}

/// Whether it stands where it may.
fn belongs(event: &Event, subject: &str, source: &str) -> Result<(), Fault> {
    if source != format!("/leadflip/ownership/{}", event.previous.history_id) {
        return Err(Fault::ForeignSource(source.to_owned()));
    }
    if subject != format!("{SUBJECTS}.{}", event.account_id) {
        let (subject, account_id) = (subject.to_owned(), event.account_id.clone());
        return Err(Fault::ForeignAccount { subject, account_id });
    }
    Ok(())
}

fn agrees_with_itself(event: &Event) -> Result<(), Fault> {
    let Event { account_id: _, previous, first, last, fragment, fragments, told } = event;
    let places: Vec<(i64, i32)> = match told {
        Told::Changes(changes) => changes.iter().map(|change| (change.revision, change.ordinal)).collect(),
        Told::Overdue(leads) => leads.iter().map(|lead| (lead.revision, lead.ordinal)).collect(),
    };
    let ends = places.first().zip(places.last()).map(|(first, last)| (first.0, last.0));
    let holds = [
        (0 <= previous.revision && previous.revision < *first && first <= last, "its revisions are not in order"),
        (ends == Some((*first, *last)), "it holds other revisions than it says"),
        (places.is_sorted_by(|before, after| before < after), "what it holds is not in order"),
        (1 <= *fragment && fragment <= fragments, "it is a fragment that its revision does not have"),
        (*fragments == 1 || first == last, "it is a fragment of several revisions"),
    ];
    match holds.into_iter().find(|(holds, _)| !holds) {
        Some((_, contradiction)) => Err(Fault::Contradiction(contradiction)),
        None => Ok(()),
    }
}

impl From<OwnersChanged> for Event {
    fn from(data: OwnersChanged) -> Self {
        let OwnersChanged {
            account_id,
            history_id,
            previous_revision,
            first_revision,
            last_revision,
            fragment,
            fragment_count,
            changes,
            // What they say stands in the changes, also where those come from the log.
            intents: _,
        } = data;
        Self {
            account_id,
            previous: Position { history_id, revision: previous_revision },
            first: first_revision,
            last: last_revision,
            fragment,
            fragments: fragment_count,
            told: Told::Changes(changes),
        }
    }
}

impl From<LeadUnassignedOverdue> for Event {
    fn from(data: LeadUnassignedOverdue) -> Self {
        let LeadUnassignedOverdue {
            account_id,
            history_id,
            previous_revision,
            first_revision,
            last_revision,
            fragment,
            fragment_count,
            leads,
        } = data;
        Self {
            account_id,
            previous: Position { history_id, revision: previous_revision },
            first: first_revision,
            last: last_revision,
            fragment,
            fragments: fragment_count,
            told: Told::Overdue(leads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: &str = "leadflip.ownership.v1.changes.acme";
    const OWNERS: &str = "leadflip.ownership.v1.OwnersChanged";

    fn changed() -> OwnersChanged {
        let change = |revision| OwnerChange { revision, lead_id: "L1".to_owned(), ..Default::default() };
        OwnersChanged {
            account_id: "acme".to_owned(),
            history_id: "h".to_owned(),
            previous_revision: 3,
            first_revision: 5,
            last_revision: 6,
            fragment: 1,
            fragment_count: 1,
            changes: vec![change(5), change(6)],
            intents: Vec::new(),
        }
    }

    fn headers(of_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("ce-specversion", "1.0");
        headers.insert("ce-type", of_type);
        headers.insert("ce-source", "/leadflip/ownership/h");
        headers
    }

    fn read_as(of_type: &str, data: &impl Message) -> Result<Event, Fault> {
        read(SUBJECT, Some(&headers(of_type)), &data.encode_to_vec())
    }

    #[track_caller]
    fn contradicts(change: impl FnOnce(&mut OwnersChanged)) {
        let mut data = changed();
        change(&mut data);
        let read = read_as(OWNERS, &data);
        assert!(matches!(read, Err(Fault::Contradiction(_))), "{read:?}");
    }

    #[test]
    fn an_event_is_a_link_of_the_chain_whatever_its_type() {
        let event = read_as(OWNERS, &changed()).unwrap();
        assert_eq!((event.previous.revision, event.first, event.end().revision), (3, 5, 6));
        let lead = OverdueLead { revision: 7, ..Default::default() };
        let overdue = LeadUnassignedOverdue {
            account_id: "acme".to_owned(),
            history_id: "h".to_owned(),
            previous_revision: 6,
            first_revision: 7,
            last_revision: 7,
            fragment: 1,
            fragment_count: 1,
            leads: vec![lead.clone()],
        };
        let event = read_as("leadflip.ownership.v1.LeadUnassignedOverdue", &overdue).unwrap();
        assert_eq!((event.previous.revision, event.told), (6, Told::Overdue(vec![lead])));
    }

    #[test]
    fn an_event_makes_up_for_what_it_follows_and_the_log_has() {
        let link = |previous, last| Link {
            account_id: "acme".to_owned(),
            previous: Position { history_id: "h".to_owned(), revision: previous },
            last,
            in_the_log: true,
        };
        let newest = link(7, 9);
        assert!(newest.makes_up_for(&link(3, 5)) && newest.makes_up_for(&link(5, 7)));
        assert!(!newest.makes_up_for(&newest), "or it would be lost itself");
        assert!(!newest.makes_up_for(&link(9, 10)), "that is newer");
        assert!(!newest.makes_up_for(&link(6, 8)), "that is not of the same chain");
        assert!(!newest.makes_up_for(&Link { in_the_log: false, ..link(5, 7) }), "overdue leads");
        let elsewhere = Position { history_id: "other".to_owned(), revision: 5 };
        assert!(!newest.makes_up_for(&Link { previous: elsewhere, ..link(5, 7) }), "another history");
    }

    #[test]
    fn what_is_no_event_of_ours_is_told_apart() {
        let data = changed().encode_to_vec();
        assert!(matches!(read(SUBJECT, None, &data), Err(Fault::NoEvent(_))));
        assert!(matches!(read(SUBJECT, Some(&HeaderMap::new()), &data), Err(Fault::NoEvent(_))));
        let later = "leadflip.ownership.v2.OwnersChanged";
        assert_eq!(read_as(later, &changed()), Err(Fault::UnknownType(later.to_owned())));
        assert!(matches!(read(SUBJECT, Some(&headers(OWNERS)), b"\xff"), Err(Fault::Unreadable(_))));
        let mut foreign = headers(OWNERS);
        foreign.insert("ce-source", "/somebody/else");
        assert_eq!(read(SUBJECT, Some(&foreign), &data), Err(Fault::ForeignSource("/somebody/else".to_owned())));
        let elsewhere = read("leadflip.ownership.v1.changes.zeta", Some(&headers(OWNERS)), &data);
        assert!(matches!(elsewhere, Err(Fault::ForeignAccount { .. })), "{elsewhere:?}");
    }

    #[test]
    fn an_event_that_contradicts_itself_is_not_believed() {
        contradicts(|data| data.previous_revision = 5);
        contradicts(|data| data.previous_revision = -1);
        contradicts(|data| data.first_revision = 4);
        contradicts(|data| data.last_revision = 7);
        contradicts(|data| data.changes.clear());
        contradicts(|data| data.changes.swap(0, 1));
        contradicts(|data| data.changes[0].revision = 6);
        contradicts(|data| data.fragment = 2);
        contradicts(|data| data.fragment = 0);
        contradicts(|data| data.fragment_count = 2);
    }
}
