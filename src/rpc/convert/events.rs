//! Events: what is published to other services.

use bytes::{Bytes, BytesMut};
use ownership_proto::v1 as pb;
use prost::Message as _;
use prost::encoding::message::encode;

use crate::domain::change::OwnerChange;
use crate::publish::{Event, Format};

/// How the contract writes events.
pub(in crate::rpc) const FORMAT: Format =
    Format { data: "leadflip.ownership.v1.OwnersChanged", change: put_change, event: around };

/// The number of `changes` in `OwnersChanged`.
const CHANGES: u32 = 8;

/// Adds a change to those of an event, as it stands within the message.
fn put_change(change: OwnerChange, changes: &mut BytesMut) {
    encode(CHANGES, &pb::OwnerChange::from(change), changes);
}

/// The message around changes that are encoded already. The fields of a message may be put one behind the other.
fn around(event: &Event) -> Bytes {
    let Event { account, history, previous, first, last, last_ordinal: _, fragment, fragments, at: _, changes } = event;
    let head = pb::OwnersChanged {
        account_id: account.as_str().to_owned(),
        history_id: history.to_string(),
        previous_revision: previous.0,
        first_revision: first.0,
        last_revision: last.0,
        fragment: *fragment,
        fragment_count: *fragments,
        changes: Vec::new(),
    };
    let mut message = BytesMut::with_capacity(head.encoded_len() + changes.len());
    head.encode_raw(&mut message);
    message.extend_from_slice(changes);
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::change::changes_of;
    use crate::domain::fact::{Commit, Fact};
    use crate::domain::ids::{AccountId, CallerId, LeadId, Revision};
    use crate::domain::time::Timestamp;

    #[test]
    fn an_event_reads_as_the_message_of_the_contract() {
        let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
        let origin = Origin { actor, source: Source::Ui, reason: "why".to_owned(), batch: None, request: None };
        let forgotten = |lead| Fact::Forgotten { lead: LeadId::parse(lead).unwrap(), previous: None };
        let facts = vec![forgotten("L1"), forgotten("L2")];
        let commit = Commit { revision: Revision(7), at: Timestamp(1_000_001), origin, facts };
        let mut changes = BytesMut::new();
        changes_of(&commit).for_each(|change| put_change(change, &mut changes));
        let event = Event {
            account: AccountId::parse("acme").unwrap(),
            history: "h".into(),
            previous: Revision(3),
            first: Revision(7),
            last: Revision(7),
            last_ordinal: 1,
            fragment: 2,
            fragments: 3,
            at: Timestamp(1_000_001),
            changes: changes.freeze(),
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
        };
        assert_eq!(read, expected);
        assert_eq!(FORMAT.data.rsplit('.').next(), Some("OwnersChanged"));
    }
}
