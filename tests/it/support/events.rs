//! Whether a stream says what the log says: a pure function of both, in which nothing of the service has a say.
//!
//! A stream only grows, until it loses something. A purge ends one stretch of it and begins another, and so does putting the broker
//! back to an older copy; what was published in one stretch is published again in the next. So "once" is said of a stretch: in it,
//! each change of the log is there once, in order and from the first one on, and each message names the one before it. A stretch
//! that was ended by a loss may end anywhere, even between two fragments. The one that lasts has everything.

use std::collections::BTreeMap;
use std::fmt;

use super::answers::{change_entry, fact_entry};
use super::at;
use super::fold::{is_overdue, is_owner_change};
use super::pb::{OverdueLead, OwnersChanged};
use super::stream::{Message, OVERDUE};
use super::tables::{Fact, Tables};

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A change is there again.
    Twice,
    /// A change is not there.
    Missing,
    /// A change comes after one that it came before.
    Late,
    /// The log has no such change.
    Invented,
    /// The log says something else of it.
    Different,
    /// A message follows another one than the one that it names.
    Unchained,
    /// A fragment does not go on where the one before ended.
    Fragment,
    /// Subject or headers do not say what the data says.
    Mislabelled,
    /// Others are to notify somebody else than the changes say, or of something else.
    Misdirected,
}

/// What is wrong, and where.
pub struct Complaint {
    pub fault: Fault,
    text: String,
}

impl Complaint {
    /// Whether no message that is still to come can put it right.
    pub fn lasts(&self) -> bool {
        !matches!(self.fault, Fault::Missing | Fault::Fragment)
    }
}

impl fmt::Debug for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.fault, self.text)
    }
}

/// What is wrong with a stream as it is now: it has to have everything.
pub fn disagreements(messages: &[Message], tables: &Tables) -> Vec<Complaint> {
    judge(messages, tables, true)
}

/// What is wrong with a stretch of a stream that was ended by a loss.
pub fn disagreements_so_far(messages: &[Message], tables: &Tables) -> Vec<Complaint> {
    judge(messages, tables, false)
}

fn judge(messages: &[Message], tables: &Tables, to_the_end: bool) -> Vec<Complaint> {
    let mut complaints = Complaints(Vec::new());
    let mut accounts: BTreeMap<&str, Stretch<'_>> = BTreeMap::new();
    for (account, rows) in &tables.0 {
        let is_published = |fact: &&Fact| is_owner_change(fact) || is_overdue(fact);
        accounts.entry(account).or_default().log = rows.facts.iter().filter(is_published).collect();
    }
    for message in messages {
        describes_itself(message, &mut complaints);
        accounts.entry(&message.event.account_id).or_default().messages.push(message);
    }
    for (account, stretch) in &accounts {
        stretch.chain(account, to_the_end, &mut complaints);
        stretch.changes(account, to_the_end, &mut complaints);
        stretch.intents(account, &mut complaints);
    }
    complaints.0
}

struct Complaints(Vec<Complaint>);

impl Complaints {
    fn add(&mut self, fault: Fault, text: String) {
        self.0.push(Complaint { fault, text });
    }
}

/// What is to be published of one account, and its messages.
#[derive(Default)]
struct Stretch<'a> {
    log: Vec<&'a Fact>,
    messages: Vec<&'a Message>,
}

impl Stretch<'_> {
    /// Each message names the one before, and the fragments of a revision follow each other.
    fn chain(&self, account: &str, to_the_end: bool, complaints: &mut Complaints) {
        let mut before: Option<&OwnersChanged> = None;
        for Message { sequence, event, .. } in &self.messages {
            let (previous, fragment, count) = match before {
                Some(open) if is_open(open) => (open.previous_revision, open.fragment + 1, open.fragment_count),
                whole => (whole.map_or(0, |whole| whole.last_revision), 1, event.fragment_count),
            };
            if event.previous_revision != previous {
                let text =
                    format!("message {sequence} of {account} follows {previous} and says {}", event.previous_revision);
                complaints.add(Fault::Unchained, text);
            }
            if (event.fragment, event.fragment_count) != (fragment, count) || fragment > count {
                let (is, of) = (event.fragment, event.fragment_count);
                let text =
                    format!("message {sequence} of {account} is fragment {is} of {of}, not {fragment} of {count}");
                complaints.add(Fault::Fragment, text);
            }
            before = Some(event);
        }
        if let Some(open) = before.filter(|before| to_the_end && is_open(before)) {
            let (fragment, count) = (open.fragment, open.fragment_count);
            complaints.add(Fault::Fragment, format!("{account} ends with fragment {fragment} of {count}"));
        }
    }

    /// The changes are those of the log, each once and in order.
    fn changes(&self, account: &str, to_the_end: bool, complaints: &mut Complaints) {
        let place = |(place, fact): (usize, &&Fact)| ((fact.revision, fact.ordinal), place);
        let places: BTreeMap<(i64, i64), usize> = self.log.iter().enumerate().map(place).collect();
        let (mut seen, mut next) = (vec![false; self.log.len()], 0);
        let published =
            self.messages.iter().flat_map(|message| items(message).into_iter().zip(std::iter::repeat(message)));
        for ((at, said), message) in published {
            let told = format!("message {} of {account}: {}.{}", message.sequence, at.0, at.1);
            let Some(&place) = places.get(&at) else {
                complaints.add(Fault::Invented, told);
                continue;
            };
            if said != logged(self.log[place]) {
                complaints.add(Fault::Different, format!("{told} is {:?} in the log and {said:?}", self.log[place]));
            }
            match seen[place] {
                true => complaints.add(Fault::Twice, told),
                false if place < next => complaints.add(Fault::Late, told),
                false => {}
            }
            seen[place] = true;
            next = next.max(place + 1);
        }
        let end = if to_the_end { seen.len() } else { next };
        let missing: Vec<_> = (0..end).filter(|place| !seen[*place]).map(|place| self.log[place]).collect();
        if let [first, ..] = missing[..] {
            let text = format!("{account}: {} of {end}, the first of them {first:?}", missing.len());
            complaints.add(Fault::Missing, text);
        }
    }

    /// Each revision and new owner who is to be told has one intent, in the message with which the revision is whole.
    fn intents(&self, account: &str, complaints: &mut Complaints) {
        let mut expected: BTreeMap<(i64, &str), i32> = BTreeMap::new();
        for Message { sequence, event, .. } in &self.messages {
            for change in event.changes.iter().filter(|change| change.notify_new_owner) {
                *expected.entry((change.revision, change.owner_id())).or_default() += 1;
            }
            let told = event.intents.iter().map(|it| ((it.revision, it.owner_id.as_str()), it.lead_count));
            let due = if is_open(event) { BTreeMap::new() } else { std::mem::take(&mut expected) };
            if !told.eq(due) {
                complaints.add(Fault::Misdirected, format!("message {sequence} of {account}: {:?}", event.intents));
            }
        }
    }
}

/// What a message tells of: where that stands in the log, and what is said of it.
fn items(message: &Message) -> Vec<((i64, i64), Vec<String>)> {
    let changes = message.event.changes.iter().map(|it| ((it.revision, i64::from(it.ordinal)), change_entry(it)));
    let overdue = message.overdue.iter().map(|it| ((it.revision, i64::from(it.ordinal)), vec![format!("{it:?}")]));
    changes.chain(overdue).collect()
}

/// What is to be said of a fact.
fn logged(fact: &Fact) -> Vec<String> {
    if !is_overdue(fact) {
        return fact_entry(fact);
    }
    let payload = |field: &str| fact.payload.as_ref().and_then(|it| it[field].as_i64()).expect("a number");
    let lead = OverdueLead {
        revision: fact.revision,
        ordinal: fact.ordinal as i32,
        lead_id: fact.lead.clone().expect("a lead"),
        unassigned_since: Some(at(payload("unassigned_since"))),
        unassigned_revision: payload("unassigned_revision"),
        occurred_at: Some(at(fact.occurred_at)),
    };
    vec![format!("{lead:?}")]
}

/// Whether fragments are to follow.
fn is_open(event: &OwnersChanged) -> bool {
    event.fragment < event.fragment_count
}

/// The headers and the subject say what the data says.
fn describes_itself(message: &Message, complaints: &mut Complaints) {
    let Message { sequence, subject, headers, data: _, event, overdue: _ } = message;
    for (name, value) in labels(message) {
        if headers.get(name) != Some(&value) {
            let text = format!("message {sequence}: {name} is {:?}, not {value}", headers.get(name));
            complaints.add(Fault::Mislabelled, text);
        }
    }
    let account = &event.account_id;
    if *subject != subject_of(account) || headers.contains_key("Nats-Msg-Id") {
        complaints
            .add(Fault::Mislabelled, format!("message {sequence} of {account} stands under {subject}: {headers:?}"));
    }
    let items = items(message);
    let revisions = items.first().zip(items.last()).map(|((first, _), (last, _))| (first.0, last.0));
    if revisions != Some((event.first_revision, event.last_revision)) || items.len() > 500 {
        complaints.add(Fault::Mislabelled, format!("message {sequence} of {account} holds {revisions:?}"));
    }
}

fn subject_of(account: &str) -> String {
    format!("leadflip.ownership.v1.changes.{account}")
}

/// The headers that follow from the data.
fn labels(message: &Message) -> [(&'static str, String); 15] {
    let Message { event, overdue, .. } = message;
    let OwnersChanged { account_id, history_id, fragment, fragment_count, .. } = event;
    let kind = if overdue.is_empty() { "leadflip.ownership.v1.OwnersChanged" } else { OVERDUE };
    let (first, last, previous) = (event.first_revision, event.last_revision, event.previous_revision);
    [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-type", kind.to_owned()),
        ("ce-source", format!("/leadflip/ownership/{history_id}")),
        ("ce-id", format!("{account_id}.{first}-{last}.{fragment}")),
        ("ce-subject", account_id.clone()),
        ("ce-partitionkey", account_id.clone()),
        ("ce-datacontenttype", "application/protobuf".to_owned()),
        ("ce-sequence", format!("{last:020}")),
        ("ce-historyid", history_id.clone()),
        ("ce-previousrevision", previous.to_string()),
        ("ce-firstrevision", first.to_string()),
        ("ce-lastrevision", last.to_string()),
        ("ce-lastordinal", items(message).last().map_or(-1, |((_, ordinal), _)| *ordinal).to_string()),
        ("ce-fragment", fragment.to_string()),
        ("ce-fragmentcount", fragment_count.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::pb::{Actor, ChangeKind, NotificationIntent, OwnerChange, Source};
    use super::super::tables::AccountRows;
    use super::*;

    fn fact(revision: i64, ordinal: i64) -> Fact {
        Fact {
            revision,
            ordinal,
            kind: "reassigned".to_owned(),
            lead: Some(format!("L{ordinal}")),
            previous_owner: Some("anna".to_owned()),
            owner: Some("ben".to_owned()),
            occurred_at: revision * 1_000_000,
            caller: "test".to_owned(),
            actor_member: None,
            source: "api".to_owned(),
            reason: "holiday".to_owned(),
            batch: None,
            payload: None,
            notice: None,
        }
    }

    fn change(revision: i64, ordinal: i32) -> OwnerChange {
        OwnerChange {
            revision,
            ordinal,
            lead_id: format!("L{ordinal}"),
            kind: ChangeKind::Reassigned.into(),
            previous_owner_id: Some("anna".to_owned()),
            owner_id: Some("ben".to_owned()),
            occurred_at: Some(at(revision * 1_000_000)),
            actor: Some(Actor { caller_id: "test".to_owned(), member_id: None }),
            source: Source::Api.into(),
            reason: "holiday".to_owned(),
            batch_id: String::new(),
            notify_new_owner: false,
        }
    }

    /// Revision 2 changes no owner, and 4 those of four leads.
    fn log() -> Tables {
        let mut facts: Vec<_> = [1, 2, 3, 5, 6].map(|revision| fact(revision, 0)).into();
        facts[1].kind = "member_upserted".to_owned();
        facts.splice(3..3, (0..4).map(|ordinal| fact(4, ordinal)));
        let other = AccountRows { facts: vec![fact(1, 0)], ..AccountRows::default() };
        Tables(BTreeMap::from([
            ("a".to_owned(), AccountRows { facts, ..AccountRows::default() }),
            ("b".to_owned(), other),
        ]))
    }

    fn message(account: &str, previous: i64, (fragment, count): (i32, i32), changes: &[(i64, i32)]) -> Message {
        let event = OwnersChanged {
            account_id: account.to_owned(),
            history_id: "h".to_owned(),
            previous_revision: previous,
            first_revision: changes[0].0,
            last_revision: changes[changes.len() - 1].0,
            fragment,
            fragment_count: count,
            changes: changes.iter().map(|&(revision, ordinal)| change(revision, ordinal)).collect(),
            intents: Vec::new(),
        };
        let (subject, headers, data) = (String::new(), BTreeMap::new(), Bytes::new());
        Message { sequence: 0, subject, headers, data, event, overdue: Vec::new() }
    }

    /// What the log says: 4 in two fragments, 5 and 6 in one message.
    fn stream() -> Vec<Message> {
        vec![
            message("a", 0, (1, 1), &[(1, 0)]),
            message("a", 1, (1, 1), &[(3, 0)]),
            message("a", 3, (1, 2), &[(4, 0), (4, 1)]),
            message("b", 0, (1, 1), &[(1, 0)]),
            message("a", 3, (2, 2), &[(4, 2), (4, 3)]),
            message("a", 4, (1, 1), &[(5, 0), (6, 0)]),
        ]
    }

    /// Numbers and labels them as they are.
    fn labelled(mut messages: Vec<Message>) -> Vec<Message> {
        for (message, sequence) in messages.iter_mut().zip(1..) {
            message.sequence = sequence;
            message.subject = subject_of(&message.event.account_id);
            message.headers = labels(message).map(|(name, value)| (name.to_owned(), value)).into();
        }
        messages
    }

    fn faults(complaints: &[Complaint]) -> Vec<Fault> {
        complaints.iter().map(|complaint| complaint.fault).collect()
    }

    #[test]
    fn a_stream_that_says_what_the_log_says_is_right_and_so_is_its_beginning() {
        let stream = labelled(stream());
        assert_eq!(faults(&disagreements(&stream, &log())), []);
        for end in 0..stream.len() {
            assert_eq!(faults(&disagreements_so_far(&stream[..end], &log())), []);
            assert!(faults(&disagreements(&stream[..end], &log())).contains(&Fault::Missing));
        }
    }

    /// What is wrong is seen, in the whole stream and in a stretch of it.
    fn sees(fault: Fault, spoil: impl FnOnce(&mut Vec<Message>)) {
        let mut messages = stream();
        spoil(&mut messages);
        let messages = labelled(messages);
        for complaints in [disagreements(&messages, &log()), disagreements_so_far(&messages, &log())] {
            assert!(faults(&complaints).contains(&fault), "{fault:?} is not among {complaints:#?}");
        }
    }

    #[test]
    fn what_is_there_twice_missing_or_in_disorder_is_seen() {
        sees(Fault::Twice, |messages| messages.insert(1, messages[0].clone()));
        sees(Fault::Twice, |messages| messages.push(messages[1].clone()));
        sees(Fault::Twice, |messages| {
            // It is packed otherwise the second time, and the chain goes on.
            messages.push(message("a", 6, (1, 1), &[(5, 0)]));
        });
        sees(Fault::Missing, |messages| drop(messages.remove(0)));
        sees(Fault::Missing, |messages| {
            // Whoever published did not know of it: its chain has no gap.
            messages.remove(1);
            messages[1].event.previous_revision = 1;
            messages[3].event.previous_revision = 1;
        });
        sees(Fault::Late, |messages| messages.swap(0, 1));
        sees(Fault::Late, |messages| messages[5].event.changes.swap(0, 1));
    }

    #[test]
    fn what_the_log_does_not_say_is_seen() {
        sees(Fault::Invented, |messages| messages.push(message("a", 6, (1, 1), &[(7, 0)])));
        sees(Fault::Invented, |messages| messages.insert(1, message("a", 1, (1, 1), &[(2, 0)])));
        sees(Fault::Invented, |messages| messages[5].event.changes.push(change(6, 1)));
        sees(Fault::Invented, |messages| messages.push(message("c", 0, (1, 1), &[(1, 0)])));
        sees(Fault::Invented, |messages| messages[1].overdue.push(OverdueLead { revision: 2, ..Default::default() }));
        let differences: [fn(&mut OwnerChange); 10] = [
            |change| change.lead_id.push('x'),
            |change| change.set_kind(ChangeKind::Assigned),
            |change| change.previous_owner_id = None,
            |change| change.owner_id = Some("anna".to_owned()),
            |change| change.occurred_at = Some(at(1)),
            |change| change.actor = Some(Actor { caller_id: "test".to_owned(), member_id: Some("anna".to_owned()) }),
            |change| change.set_source(Source::Import),
            |change| change.reason.clear(),
            |change| change.batch_id.push('x'),
            |change| change.notify_new_owner = true,
        ];
        for differ in differences {
            sees(Fault::Different, |messages| differ(&mut messages[5].event.changes[1]));
        }
    }

    #[test]
    fn somebody_who_is_to_be_told_and_is_not_or_the_other_way_round_is_seen() {
        let intent = |lead_count| NotificationIntent { revision: 3, owner_id: "ben".to_owned(), lead_count };
        sees(Fault::Misdirected, |messages| messages[1].event.intents.push(intent(1)));
        sees(Fault::Misdirected, |messages| messages[1].event.changes[0].notify_new_owner = true);
        sees(Fault::Misdirected, |messages| {
            messages[1].event.changes[0].notify_new_owner = true;
            messages[1].event.intents.push(intent(2));
        });
        sees(Fault::Misdirected, |messages| messages[2].event.intents.push(intent(1)));
    }

    #[test]
    fn a_broken_chain_is_seen() {
        sees(Fault::Unchained, |messages| messages[0].event.previous_revision = 1);
        sees(Fault::Unchained, |messages| messages[1].event.previous_revision = 2);
        sees(Fault::Unchained, |messages| messages[4].event.previous_revision = 4);
        sees(Fault::Unchained, |messages| drop(messages.remove(1)));
        sees(Fault::Fragment, |messages| drop(messages.remove(2)));
        sees(Fault::Fragment, |messages| drop(messages.remove(4)));
        sees(Fault::Fragment, |messages| messages.swap(2, 4));
        sees(Fault::Fragment, |messages| messages[4].event.fragment_count = 3);
        sees(Fault::Fragment, |messages| messages[1].event.fragment = 2);
    }

    #[test]
    fn a_message_that_does_not_describe_itself_is_seen() {
        sees(Fault::Mislabelled, |messages| messages[0].event.last_revision = 2);
        let spoils: [fn(&mut Message); 4] = [
            |message| message.subject.push('x'),
            |message| drop(message.headers.insert("Nats-Msg-Id".to_owned(), "1".to_owned())),
            |message| drop(message.headers.insert("ce-previousrevision".to_owned(), "9".to_owned())),
            |message| drop(message.headers.remove("ce-id")),
        ];
        for spoil in spoils {
            let mut messages = labelled(stream());
            spoil(&mut messages[1]);
            assert_eq!(faults(&disagreements(&messages, &log())), [Fault::Mislabelled]);
        }
    }
}
