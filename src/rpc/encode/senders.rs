//! In whose name messages are sent: each sender once, each lead with the number of its sender.

use ownership_proto::{Encoded, v1 as pb};

use super::writer::Writer;
use crate::domain::book::query::{LeadFilter, SenderKey};
use crate::domain::book::{Book, Snapshot};
use crate::domain::ids::LeadId;
use crate::domain::member::Member;
use crate::domain::sender::{Resolution, Skipped};

/// What a resolution takes, about.
const RESOLUTION_BYTES: usize = 56;
/// Leads in one message of a stream, about.
const LEADS: usize = 4_096;

/// The sender for each of some leads.
pub(in crate::rpc) fn resolve_senders(book: &Book, leads: &[LeadId]) -> Encoded<pb::ResolveSendersResponse> {
    let (mut senders, mut resolutions) = (Senders::default(), Writer::sized(leads.len() * RESOLUTION_BYTES));
    for lead in leads {
        let key = book.sender_key(lead.as_str());
        let resolution = senders.of(key, || book.sender(key));
        write_resolution(&mut resolutions, 2, lead.as_str(), resolution);
    }
    let mut response = Writer::sized(resolutions.bytes().len() + senders.new.bytes().len() + 16);
    response.fields(senders.new.bytes());
    response.fields(resolutions.bytes());
    response.number(3, book.revision().0);
    response.finish()
}

/// The messages of a stream of senders.
#[derive(Debug)]
pub(in crate::rpc) struct SenderStream {
    snapshot: Snapshot,
    filter: LeadFilter,
    senders: Senders,
    part: usize,
    begun: bool,
}

impl SenderStream {
    /// The senders for the leads that a filter admits.
    pub(in crate::rpc) fn of(snapshot: Snapshot, filter: LeadFilter) -> Self {
        // The senders of a stream stand in another field than those of a single answer.
        Self { snapshot, filter, senders: Senders { field: 2, ..Senders::default() }, part: 0, begun: false }
    }
}

impl Iterator for SenderStream {
    type Item = Encoded<pb::StreamSendersResponse>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { snapshot, filter, senders, part, begun } = self;
        let (mut resolutions, mut leads) = (Writer::sized(LEADS * RESOLUTION_BYTES), 0);
        while *part < snapshot.parts() && leads < LEADS {
            for (lead, key) in snapshot.part(*part, filter) {
                write_resolution(&mut resolutions, 3, lead, senders.of(key, || snapshot.sender(key)));
                leads += 1;
            }
            *part += 1;
        }
        if leads == 0 && *begun {
            return None;
        }
        *begun = true;
        // Senders that are new come before the leads that name them.
        let mut message = Writer::sized(resolutions.bytes().len() + senders.new.bytes().len() + 16);
        message.number(1, snapshot.revision().0);
        message.fields(std::mem::take(&mut senders.new).bytes());
        message.fields(resolutions.bytes());
        Some(message.finish())
    }
}

/// The senders that occurred, numbered, and what is written about the leads of each.
#[derive(Debug)]
struct Senders {
    /// The field of the response they stand in.
    field: u32,
    /// Those that were not sent yet.
    new: Writer,
    /// How many there are.
    count: i64,
    /// The number of the account's default sender.
    default: Option<i64>,
    /// By the number of the key: the fields of a resolution behind its lead.
    resolutions: Vec<Option<Fields>>,
}

/// Three numbers, each with its key: at most seven bytes of number for a position, and two bytes for each enum.
type Fields = (u8, [u8; 14]);

impl Default for Senders {
    fn default() -> Self {
        Self { field: 1, new: Writer::default(), count: 0, default: None, resolutions: Vec::new() }
    }
}

impl Senders {
    /// What is to be written about a lead of this key.
    fn of<'a>(&mut self, key: SenderKey, resolve: impl FnOnce() -> Resolution<'a>) -> &[u8] {
        if self.resolutions.len() <= key.number() {
            self.resolutions.resize(key.number() + 1, None);
        }
        if self.resolutions[key.number()].is_none() {
            self.resolutions[key.number()] = Some(self.resolution(resolve()));
        }
        self.resolutions[key.number()].as_ref().map_or(&[], |(length, fields)| &fields[..usize::from(*length)])
    }

    fn resolution(&mut self, resolution: Resolution<'_>) -> Fields {
        let (sender, step, skipped) = match resolution {
            Resolution::Owner(Member { id, display_name, email, .. }) => {
                (Some(self.add(Some(id.as_str()), display_name, email)), pb::SenderStep::Owner, None)
            }
            Resolution::AccountDefault(sender, skipped) => {
                let number = self.default.unwrap_or_else(|| self.add(None, &sender.name, &sender.email));
                self.default = Some(number);
                (Some(number), pb::SenderStep::AccountDefault, Some(skipped))
            }
            Resolution::None(skipped) => (None, pb::SenderStep::None, Some(skipped)),
        };
        let mut fields = Writer::default();
        if let Some(number) = sender {
            fields.set_number(2, number);
        }
        fields.number(3, i32::from(step));
        fields.number(4, i32::from(skipped.map_or(pb::OwnerSkipped::Unspecified, pb::OwnerSkipped::from)));
        let mut kept = [0; 14];
        let length = fields.bytes().len().min(kept.len());
        kept[..length].copy_from_slice(&fields.bytes()[..length]);
        (u8::try_from(length).unwrap_or_default(), kept)
    }

    /// Adds a sender and returns its number.
    fn add(&mut self, member: Option<&str>, name: &str, email: &str) -> i64 {
        self.new.message(self.field, |message| {
            message.optional_text(1, member);
            message.text(2, name);
            message.text(3, email);
        });
        self.count += 1;
        self.count - 1
    }
}

fn write_resolution(response: &mut Writer, field: u32, lead: &str, resolution: &[u8]) {
    response.message(field, |message| {
        message.text(1, lead);
        message.fields(resolution);
    });
}

impl From<Skipped> for pb::OwnerSkipped {
    fn from(skipped: Skipped) -> Self {
        match skipped {
            Skipped::Unassigned => Self::Unassigned,
            Skipped::Inactive => Self::Inactive,
            Skipped::NoEmail => Self::NoEmail,
            Skipped::LeadUnknown => Self::LeadUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{MemberId, Revision};
    use crate::domain::lead::LeadRef;
    use crate::domain::member::Standing;
    use crate::domain::settings::{DefaultSender, Settings};
    use crate::domain::time::Timestamp;

    fn member(id: &str, standing: Standing) -> Member {
        Member {
            id: MemberId::parse(id).unwrap(),
            display_name: id.to_uppercase(),
            initials: String::new(),
            email: format!("{id}@example.com"),
            avatar_url: String::new(),
            manager_id: None,
            standing,
            capacity: None,
            observed_at: Timestamp(0),
        }
    }

    fn book() -> Book {
        let mut book = Book::at(Revision(9));
        book.load_member(member("anna", Standing::Active));
        book.load_member(member("gone", Standing::Inactive));
        let default = DefaultSender { name: "Team".into(), email: "team@example.com".into() };
        book.load_settings(Settings { default_sender: Some(default), ..Settings::default() }, Revision(1));
        for number in 0..10_000 {
            let owner = [Some("anna"), Some("gone"), None][number % 3];
            book.load_lead(LeadRef::named(&format!("L{number}"), owner));
        }
        book
    }

    fn told(resolution: &pb::SenderResolution) -> (Option<i32>, pb::SenderStep, pb::OwnerSkipped) {
        (resolution.sender, resolution.step(), resolution.owner_skipped())
    }

    #[test]
    fn each_sender_stands_once_and_is_pointed_to() {
        let leads = ["L1", "L0", "L3", "L2", "strange"].map(|id| LeadId::parse(id).unwrap());
        let response = resolve_senders(&book(), &leads).decode().unwrap();
        let names: Vec<_> = response.senders.iter().map(|sender| sender.name.as_str()).collect();
        assert_eq!((names, response.revision), (vec!["Team", "ANNA"], 9));
        assert_eq!(response.senders[1].member_id.as_deref(), Some("anna"));
        let (owner, default) = (pb::SenderStep::Owner, pb::SenderStep::AccountDefault);
        assert_eq!(
            response.resolutions.iter().map(told).collect::<Vec<_>>(),
            [
                (Some(0), default, pb::OwnerSkipped::Inactive),
                (Some(1), owner, pb::OwnerSkipped::Unspecified),
                (Some(1), owner, pb::OwnerSkipped::Unspecified),
                (Some(0), default, pb::OwnerSkipped::Unassigned),
                (None, pb::SenderStep::None, pb::OwnerSkipped::LeadUnknown),
            ]
        );
        assert!(
            response
                .resolutions
                .iter()
                .map(|resolution| resolution.lead_id.as_str())
                .eq(leads.iter().map(LeadId::as_str))
        );
    }

    #[test]
    fn a_stream_tells_what_single_answers_tell_and_names_no_sender_before_it_came() {
        let book = book();
        let (mut senders, mut seen) = (Vec::new(), std::collections::BTreeMap::new());
        for message in SenderStream::of(book.snapshot(), LeadFilter::default()) {
            let message = message.decode().unwrap();
            senders.extend(message.senders);
            for resolution in message.resolutions {
                let sender = resolution.sender.map(|number| senders[usize::try_from(number).unwrap()].clone());
                assert!(seen.insert(resolution.lead_id.clone(), (sender, resolution.step)).is_none(), "twice");
            }
            assert_eq!(message.revision, 9);
        }
        assert_eq!((senders.len(), seen.len()), (2, 10_000));
        let leads: Vec<_> = seen.keys().take(1_000).map(|id| LeadId::parse(id).unwrap()).collect();
        let answer = resolve_senders(&book, &leads).decode().unwrap();
        for resolution in answer.resolutions {
            let sender = resolution.sender.map(|number| answer.senders[usize::try_from(number).unwrap()].clone());
            assert_eq!(seen[&resolution.lead_id], (sender, resolution.step));
        }
    }

    #[test]
    fn a_stream_about_nothing_tells_its_revision() {
        let messages: Vec<_> = SenderStream::of(Book::at(Revision(4)).snapshot(), LeadFilter::default()).collect();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].decode().unwrap(), pb::StreamSendersResponse { revision: 4, ..Default::default() });
    }
}
