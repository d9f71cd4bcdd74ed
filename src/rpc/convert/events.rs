//! Events: what is published to other services.

use bytes::{Bytes, BytesMut};
use ownership_proto::v1 as pb;
use prost::Message as _;
use prost::encoding::message::encode;

use super::time::to_timestamp;
use crate::domain::intent::Intent;
use crate::domain::overdue::OverdueLead;
use crate::domain::published::{Item, Topic};
use crate::publish::{Event, Format};

/// How the contract writes events.
pub(in crate::rpc) const FORMAT: Format = Format { data: name, item: put, intent: put_intent, event: around };

/// The numbers of `changes` in `OwnersChanged` and `leads` in `LeadUnassignedOverdue`, and of `intents` in the former.
const ITEMS: u32 = 8;
const INTENTS: u32 = 9;

fn name(topic: Topic) -> &'static str {
    match topic {
        Topic::Owners => "leadflip.ownership.v1.OwnersChanged",
        Topic::Overdue => "leadflip.ownership.v1.LeadUnassignedOverdue",
    }
}

/// Adds an item to those of an event, as it stands within the message.
fn put(item: Item, content: &mut BytesMut) {
    match item {
        Item::Change(change) => encode(ITEMS, &pb::OwnerChange::from(change), content),
        Item::Overdue(lead) => encode(ITEMS, &pb::OverdueLead::from(lead), content),
    }
}

impl From<OverdueLead> for pb::OverdueLead {
    fn from(overdue: OverdueLead) -> Self {
        let OverdueLead { revision, ordinal, lead, since, ownership, at } = overdue;
        Self {
            revision: revision.0,
            ordinal,
            lead_id: lead.into(),
            unassigned_since: Some(to_timestamp(since)),
            unassigned_revision: ownership.0,
            occurred_at: Some(to_timestamp(at)),
        }
    }
}

/// Adds who is to be told, as it stands within the message.
fn put_intent(intent: Intent, content: &mut BytesMut) {
    let Intent { revision, owner, leads } = intent;
    let intent = pb::NotificationIntent { revision: revision.0, owner_id: owner.into(), lead_count: leads };
    encode(INTENTS, &intent, content);
}

/// The message around content that is encoded already. The fields of a message may be put one behind the other, and lists among
/// them in turn; those around are the same in all of them.
fn around(event: &Event) -> Bytes {
    let Event { topic: _, account, history, previous, first, last, fragment, fragments, content, .. } = event;
    let head = pb::OwnersChanged {
        account_id: account.as_str().to_owned(),
        history_id: history.to_string(),
        previous_revision: previous.0,
        first_revision: first.0,
        last_revision: last.0,
        fragment: *fragment,
        fragment_count: *fragments,
        changes: Vec::new(),
        intents: Vec::new(),
    };
    let mut message = BytesMut::with_capacity(head.encoded_len() + content.len());
    head.encode_raw(&mut message);
    message.extend_from_slice(content);
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::change::changes_of;
    use crate::domain::fact::{Commit, Fact};
    use crate::domain::ids::{AccountId, CallerId, LeadId, MemberId, Revision};
    use crate::domain::intent::intents_of;
    use crate::domain::published::items_of;
    use crate::domain::time::Timestamp;

    #[test]
    fn an_event_reads_as_the_message_of_the_contract() {
        let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
        let origin = Origin { actor, source: Source::Ui, reason: "why".to_owned(), batch: None, request: None };
        let given = |lead| Fact::OwnerChanged {
            lead: LeadId::parse(lead).unwrap(),
            previous: None,
            owner: MemberId::parse("anna").ok(),
            notify: true,
        };
        let facts = vec![given("L1"), given("L2")];
        let commit = Commit { revision: Revision(7), at: Timestamp(1_000_001), origin, facts };
        let mut content = BytesMut::new();
        intents_of(&commit).for_each(|intent| put_intent(intent, &mut content));
        items_of(&commit).for_each(|item| put(item, &mut content));
        let event = Event {
            topic: Topic::Owners,
            account: AccountId::parse("acme").unwrap(),
            history: "h".into(),
            previous: Revision(3),
            first: Revision(7),
            last: Revision(7),
            last_ordinal: 1,
            fragment: 2,
            fragments: 3,
            at: Timestamp(1_000_001),
            content: content.freeze(),
        };
        let read = pb::OwnersChanged::decode(around(&event)).unwrap();
        let expected = pb::OwnersChanged {
            account_id: "acme".to_owned(),
            history_id: "h".to_owned(),
            previous_revision: 3,
            first_revision: 7,
            last_revision: 7,
            fragment: 2,
            fragment_count: 3,
            changes: changes_of(&commit).map(Into::into).collect(),
            intents: vec![pb::NotificationIntent { revision: 7, owner_id: "anna".to_owned(), lead_count: 2 }],
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn an_event_of_overdue_leads_reads_as_its_message() {
        let lead = |ordinal| OverdueLead {
            revision: Revision(9),
            ordinal,
            lead: LeadId::parse("L1").unwrap(),
            since: Timestamp(5),
            ownership: Revision(2),
            at: Timestamp(7),
        };
        let mut content = BytesMut::new();
        [0, 1].into_iter().for_each(|ordinal| put(Item::Overdue(lead(ordinal)), &mut content));
        let event = Event {
            topic: Topic::Overdue,
            account: AccountId::parse("acme").unwrap(),
            history: "h".into(),
            previous: Revision(8),
            first: Revision(9),
            last: Revision(9),
            last_ordinal: 1,
            fragment: 1,
            fragments: 1,
            at: Timestamp(7),
            content: content.freeze(),
        };
        let read = pb::LeadUnassignedOverdue::decode(around(&event)).unwrap();
        let expected = pb::LeadUnassignedOverdue {
            account_id: "acme".to_owned(),
            history_id: "h".to_owned(),
            previous_revision: 8,
            first_revision: 9,
            last_revision: 9,
            fragment: 1,
            fragment_count: 1,
            leads: [0, 1].map(|ordinal| lead(ordinal).into()).to_vec(),
        };
        assert_eq!(read, expected);
    }
}
