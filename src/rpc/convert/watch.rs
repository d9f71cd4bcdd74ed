//! Watches.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ownership_proto::Encoded;
use ownership_proto::v1 as pb;
use pb::watch_owner_changes_request::Start as Position;
use pb::watch_owner_changes_response::Message as Body;
use prost::encoding::{WireType, encode_key, encode_varint, key_len};
use prost::{Message as _, length_delimiter_len};

use super::changes::change_filter;
use super::time::{duration_micros, timestamp};
use super::{Invalid, id};
use crate::domain::change::{ChangeFilter, OwnerChange, changes_of};
use crate::domain::ids::{AccountId, Revision};
use crate::rpc::call::Ask;
use crate::watch::{Changes, Message, Start, Started, WatchRequest};

/// What is to be watched?
pub(in crate::rpc) struct Watching {
    start: Start,
    history: Option<String>,
    filter: ChangeFilter,
    progress_interval: Option<Duration>,
}

impl Watching {
    /// The same, with the longest silence of watches that ask for none.
    pub(in crate::rpc) fn or_silent_for(self, default: Duration) -> WatchRequest {
        let Self { start, history, filter, progress_interval } = self;
        WatchRequest { start, history, filter, progress_interval: progress_interval.unwrap_or(default) }
    }
}

impl Ask for pb::WatchOwnerChangesRequest {
    type Question = Watching;

    fn question(self) -> Result<(AccountId, Watching), Invalid> {
        let Self { account_id, start, history_id, filter, progress_interval } = self;
        let question = Watching {
            start: match start {
                None | Some(Position::Now(())) => Start::Now,
                Some(Position::AfterRevision(revision)) => Start::After(Revision(revision)),
                Some(Position::Since(time)) => Start::Since(timestamp(time)),
                Some(Position::Earliest(())) => Start::Earliest,
            },
            history: Some(history_id).filter(|history| !history.is_empty()),
            filter: change_filter(filter)?,
            progress_interval: progress_interval.map(span),
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

fn span(duration: prost_types::Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration_micros(duration)).unwrap_or_default())
}

impl From<Message> for Encoded<pb::WatchOwnerChangesResponse> {
    fn from(message: Message) -> Self {
        let body = match message {
            Message::Started(started) => Body::Started(started.into()),
            Message::Progress { previous, revision, head } => Body::Progress(pb::WatchProgress {
                previous_revision: previous.0,
                revision: revision.0,
                head_revision: head.0,
            }),
            Message::Changes { previous, revision, changes, head } => {
                return around(encoded(changes), (previous, revision, head));
            }
        };
        pb::WatchOwnerChangesResponse { message: Some(body) }.into()
    }
}

impl From<Started> for pb::WatchStarted {
    fn from(started: Started) -> Self {
        let Started { revision, head, floor, history, progress_interval } = started;
        Self {
            revision: revision.0,
            head_revision: head.0,
            floor_revision: floor.0,
            history_id: history,
            // A minute at most.
            progress_interval: prost_types::Duration::try_from(progress_interval).ok(),
        }
    }
}

/// Changes as they stand within a message. Those of a whole stretch are encoded once, for all who watch.
fn encoded(changes: Changes) -> Bytes {
    match changes {
        Changes::All(stretch) => {
            stretch.passed_on(|commits| encode(commits.iter().flat_map(|commit| changes_of(commit))))
        }
        Changes::Some(changes) => encode(changes),
    }
}

fn encode(changes: impl IntoIterator<Item = OwnerChange>) -> Bytes {
    let changes = changes.into_iter().map(Into::into).collect();
    pb::WatchChanges { changes, ..Default::default() }.encode_to_vec().into()
}

/// The number of `changes` in `WatchOwnerChangesResponse`.
const CHANGES: u32 = 2;

/// A message around changes that are encoded already, with the positions of its watch. The fields of a message may be encoded
/// apart and put one behind the other; what all watches share is not even copied.
fn around(changes: Bytes, positions: (Revision, Revision, Revision)) -> Encoded<pb::WatchOwnerChangesResponse> {
    let (Revision(previous_revision), Revision(revision), Revision(head_revision)) = positions;
    let positions = pb::WatchChanges { previous_revision, revision, head_revision, ..Default::default() };
    let inside = positions.encoded_len() + changes.len();
    let mut first = BytesMut::with_capacity(key_len(CHANGES) + length_delimiter_len(inside) + positions.encoded_len());
    encode_key(CHANGES, WireType::LengthDelimited, &mut first);
    encode_varint(inside as u64, &mut first);
    positions.encode_raw(&mut first);
    Encoded::in_two(first.freeze(), changes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::fact::{Commit, Fact};
    use crate::domain::ids::{BatchId, CallerId, LeadId, MemberId};
    use crate::domain::settings::Settings;
    use crate::domain::time::Timestamp as Moment;
    use crate::ledger::Stretch;

    fn member() -> impl Strategy<Value = Option<MemberId>> {
        proptest::option::of("[a-z]{1,64}".prop_map(|id| MemberId::parse(&id).unwrap()))
    }

    fn fact() -> impl Strategy<Value = Fact> {
        let lead = "[A-Z]{1,40}".prop_map(|id| LeadId::parse(&id).unwrap());
        (lead, member(), member(), 0..3).prop_map(|(lead, previous, owner, kind)| match kind {
            0 => Fact::OwnerChanged { lead, notify: owner.is_some(), previous, owner },
            1 => Fact::Forgotten { lead, previous },
            _ => Fact::SettingsUpdated(Settings::default()),
        })
    }

    fn commit() -> impl Strategy<Value = Commit> {
        let facts = proptest::collection::vec(fact(), 0..20);
        (any::<i64>(), -1_000_000_000..i64::MAX / 2, "\\PC{0,200}", member(), facts).prop_map(
            |(revision, at, reason, member, facts)| {
                let actor = Actor { caller: CallerId::parse("test").unwrap(), member };
                let batch = BatchId::parse(&reason).ok();
                let origin = Origin { actor, source: Source::Ui, reason, batch, request: None };
                Commit { revision: Revision(revision), at: Moment(at), origin, facts }
            },
        )
    }

    fn position() -> impl Strategy<Value = Revision> {
        prop_oneof![Just(0), 0..200_i64, any::<i64>()].prop_map(Revision)
    }

    proptest! {
        #[test]
        fn a_message_around_shared_changes_is_the_message_that_prost_makes(
            commits in proptest::collection::vec(commit(), 0..8),
            all in any::<bool>(),
            previous in position(),
            revision in position(),
            head in position(),
        ) {
            let changes = commits.iter().flat_map(changes_of).map(Into::into).collect();
            let (previous_revision, head_revision) = (previous.0, head.0);
            let body = pb::WatchChanges { previous_revision, revision: revision.0, changes, head_revision };
            let expected = pb::WatchOwnerChangesResponse { message: Some(Body::Changes(body)) };
            let changes = match all {
                true => Changes::All(Arc::new(Stretch::from(commits))),
                false => Changes::Some(commits.iter().flat_map(changes_of).collect()),
            };
            let message = Encoded::from(Message::Changes { previous, revision, changes, head });
            prop_assert_eq!(message.decode().unwrap(), expected);
        }
    }

    #[test]
    fn a_stretch_is_encoded_once_for_all() {
        let fact = Fact::Forgotten { lead: LeadId::parse("L1").unwrap(), previous: None };
        let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
        let origin = Origin { actor, source: Source::Api, reason: String::new(), batch: None, request: None };
        let commit = Commit { revision: Revision(1), at: Moment(1), origin, facts: vec![fact] };
        let stretch = Arc::new(Stretch::from(vec![commit]));
        let [one, other] = [encoded(Changes::All(Arc::clone(&stretch))), encoded(Changes::All(stretch))];
        assert_eq!(one.as_ptr(), other.as_ptr());
    }
}
