//! A watch that does not trust its server.

use std::time::Duration;

use ownership_proto::v1::watch_owner_changes_request::Start;
use ownership_proto::v1::watch_owner_changes_response::Message;
use ownership_proto::v1::*;
use prost_types::Timestamp;
use tonic::{Status, Streaming};

use super::{Call, Refusal, refusal};

/// Longer than any progress interval a test asks for.
const SILENCE: Duration = Duration::from_secs(30);

/// An open watch.
pub struct Watching {
    stream: Streaming<WatchOwnerChangesResponse>,
    pub started: WatchStarted,
    /// Everything up to here was heard.
    pub position: i64,
}

/// A message after the first.
#[derive(Debug)]
pub enum Heard {
    Changes(Vec<OwnerChange>),
    Progress,
}

impl Call<WatchOwnerChangesRequest> {
    fn start(self, start: Start) -> Self {
        self.with(|request| request.start = Some(start))
    }

    /// From the first change after this revision.
    pub fn after(self, revision: i64) -> Self {
        self.start(Start::AfterRevision(revision))
    }

    /// From the first change at or after this time.
    pub fn since(self, time: Timestamp) -> Self {
        self.start(Start::Since(time))
    }

    /// From the oldest change that is kept.
    pub fn earliest(self) -> Self {
        self.start(Start::Earliest(()))
    }

    /// In this history.
    pub fn of_history(self, history_id: &str) -> Self {
        self.with(|request| request.history_id = history_id.to_owned())
    }

    /// Only changes that match.
    pub fn filtered(self, filter: ChangeFilter) -> Self {
        self.with(|request| request.filter = Some(filter))
    }

    /// Never silent for longer than this.
    pub fn every(self, seconds: i64) -> Self {
        self.with(|request| request.progress_interval = Some(super::duration(seconds)))
    }

    /// Opens the watch, which has to succeed.
    pub async fn open(self) -> Watching {
        let mut stream = self.ok().await;
        let first = message(&mut stream).await.expect("the watch begins");
        let Message::Started(started) = first else { panic!("{first:?} is not Started") };
        assert!(started.floor_revision <= started.head_revision, "{started:?}");
        Watching { stream, position: started.revision, started }
    }
}

impl Watching {
    /// The next message. Fails unless it follows the one before without gap, overlap or split, in order.
    pub async fn next(&mut self) -> Result<Heard, Status> {
        let (previous, revision, head, heard) = match message(&mut self.stream).await? {
            Message::Started(again) => panic!("a second beginning: {again:?}"),
            Message::Changes(WatchChanges { previous_revision, revision, changes, head_revision }) => {
                assert!(!changes.is_empty(), "a message of changes without a change");
                (previous_revision, revision, head_revision, Heard::Changes(changes))
            }
            Message::Progress(WatchProgress { previous_revision, revision, head_revision }) => {
                (previous_revision, revision, head_revision, Heard::Progress)
            }
        };
        assert_eq!(previous, self.position, "the chain of positions is broken by {heard:?}");
        assert!(revision >= previous && revision <= head, "{previous} {revision} {head}");
        if let Heard::Changes(changes) = &heard {
            let last = changes.last().unwrap().revision;
            assert!(last <= revision, "{last} is told of before the position {revision} reaches it");
            assert!(changes[0].revision > previous, "{} was over already: {changes:?}", changes[0].revision);
            assert!(
                changes.is_sorted_by_key(|change| (change.revision, change.ordinal))
                    && changes.windows(2).all(|pair| key(&pair[0]) != key(&pair[1])),
                "out of order: {changes:?}"
            );
        }
        self.position = revision;
        Ok(heard)
    }

    /// What is heard until the position is reached.
    pub async fn until(&mut self, revision: i64) -> Vec<OwnerChange> {
        let mut all = Vec::new();
        while self.position < revision {
            if let Heard::Changes(changes) = self.next().await.expect("the watch goes on") {
                all.extend(changes);
            }
        }
        all
    }

    /// How the watch ends; what comes before is dropped.
    pub async fn end(mut self) -> (i64, Refusal) {
        loop {
            if let Err(status) = self.next().await {
                return (self.position, refusal(status));
            }
        }
    }
}

fn key(change: &OwnerChange) -> (i64, i32) {
    (change.revision, change.ordinal)
}

async fn message(stream: &mut Streaming<WatchOwnerChangesResponse>) -> Result<Message, Status> {
    let message = tokio::time::timeout(SILENCE, stream.message()).await.expect("a watch is never silent");
    let message = message?.expect("a watch has no OK end");
    Ok(message.message.expect("a message says something"))
}
