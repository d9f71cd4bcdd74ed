//! The stream of a watch: hands each message to its reader, and cuts a reader that takes none.

use std::time::Duration;

use ownership_proto::Encoded;
use ownership_proto::v1::WatchOwnerChangesResponse;
use tokio::sync::mpsc::{self, OwnedPermit, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Rpc;
use super::status::{Failure, draining, too_slow};
use crate::domain::ids::Revision;
use crate::watch::{self, End, Message, Watch};

type Item = Result<Encoded<WatchOwnerChangesResponse>, Status>;

/// What the client receives.
pub(super) type Stream = ReceiverStream<Item>;

impl Rpc {
    /// The stream of a watch that has begun. A task feeds it until the client goes away or the watch ends.
    pub(super) fn stream(&self, watch: Watch) -> Stream {
        // One place for a message, and one that is kept for the status at the end: the reader that is cut for being slow has to
        // find the reason behind the last message.
        let (sender, receiver) = mpsc::channel(2);
        if let Ok(last) = sender.clone().try_reserve_owned() {
            self.0.streams.spawn(feed(watch, sender, last, self.0.options.send_timeout));
        }
        ReceiverStream::new(receiver)
    }

    /// Waits until all streams have ended.
    pub async fn streams_ended(&self) {
        self.0.streams.close();
        self.0.streams.wait().await;
    }
}

type Messages = Sender<Item>;

async fn feed(mut watch: Watch, messages: Messages, last: OwnedPermit<Item>, patience: Duration) {
    let gone = messages.clone();
    let ending = tokio::select! {
        ending = hand_over(&mut watch, &messages, patience) => ending,
        () = gone.closed() => return,
    };
    last.send(Err(ending.into()));
}

/// Hands over messages until there is a reason to stop.
async fn hand_over(watch: &mut Watch, messages: &Messages, patience: Duration) -> Failure {
    let mut handed_over = watch.started.revision;
    let (mut position, mut message) = (handed_over, encoded(watch.started.clone()));
    while messages.send_timeout(Ok(message), patience).await.is_ok() {
        handed_over = position;
        match watch.next().await {
            Ok(next) => (position, message) = (revision_of(&next), encoded(next)),
            Err(end) => return end.into(),
        }
    }
    too_slow(handed_over, patience)
}

fn encoded(message: impl Into<WatchOwnerChangesResponse>) -> Encoded<WatchOwnerChangesResponse> {
    Encoded::of(&message.into())
}

fn revision_of(message: &Message) -> Revision {
    match message {
        Message::Changes { previous: _, revision, changes: _, head: _ } => *revision,
        Message::Progress { previous: _, revision, head: _ } => *revision,
    }
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        match end {
            End::Draining { revision } => draining(Some(revision)),
            End::Ledger(error) => (&error).into(),
        }
    }
}

impl From<watch::Error> for Status {
    fn from(error: watch::Error) -> Self {
        Failure::from(error).into()
    }
}
