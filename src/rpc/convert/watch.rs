//! Watches.

use std::time::Duration;

use ownership_proto::v1 as pb;
use pb::watch_owner_changes_request::Start as Position;
use pb::watch_owner_changes_response::Message as Body;

use super::changes::change_filter;
use super::time::{duration_micros, timestamp};
use super::{Invalid, id};
use crate::domain::change::ChangeFilter;
use crate::domain::ids::{AccountId, Revision};
use crate::rpc::call::Ask;
use crate::watch::{Message, Start, Started, WatchRequest};

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

impl From<Started> for pb::WatchOwnerChangesResponse {
    fn from(started: Started) -> Self {
        let Started { revision, head, floor, history, progress_interval } = started;
        let started = pb::WatchStarted {
            revision: revision.0,
            head_revision: head.0,
            floor_revision: floor.0,
            history_id: history,
            // A minute at most.
            progress_interval: prost_types::Duration::try_from(progress_interval).ok(),
        };
        Self { message: Some(Body::Started(started)) }
    }
}

impl From<Message> for pb::WatchOwnerChangesResponse {
    fn from(message: Message) -> Self {
        let message = match message {
            Message::Changes { previous, revision, changes, head } => Body::Changes(pb::WatchChanges {
                previous_revision: previous.0,
                revision: revision.0,
                changes: changes.into_iter().map(Into::into).collect(),
                head_revision: head.0,
            }),
            Message::Progress { previous, revision, head } => Body::Progress(pb::WatchProgress {
                previous_revision: previous.0,
                revision: revision.0,
                head_revision: head.0,
            }),
        };
        Self { message: Some(message) }
    }
}
