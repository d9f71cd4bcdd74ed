//! The stream of a watch: hands each message to its reader, and cuts a reader that takes none.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::Map;
use ownership_proto::Encoded;
use ownership_proto::v1::WatchOwnerChangesResponse;
use tokio::sync::mpsc::{self, OwnedPermit, Permit, Sender};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Rpc;
use super::expiry::Expiry;
use super::status::{Failure, draining, identity_expired, too_slow};
use crate::domain::ids::Revision;
use crate::watch::{self, Message, Watch};

type Item<T> = Result<T, Status>;
type Encode = fn(Item<Message>) -> Item<Encoded<WatchOwnerChangesResponse>>;

/// What the client receives. Messages are encoded when they are taken: one that waits only points to what it tells.
pub(super) type Stream = Map<ReceiverStream<Item<Message>>, Encode>;

impl Rpc {
    /// The stream of a watch that has begun. A task feeds it until the client goes away, its identity ends, or the watch does.
    pub(super) fn stream(&self, watch: Watch, expiry: Expiry) -> Stream {
        // One place for a message, and one that is kept for the status at the end: the reader that is cut for being slow has to
        // find the reason behind the last message.
        let (messages, receiver) = mpsc::channel(2);
        if let Ok(last) = messages.clone().try_reserve_owned() {
            let (patience, handed_over) = (self.0.options.send_timeout, watch.position());
            self.0.streams.spawn(Feed { watch, messages, patience, expiry, handed_over }.run(last));
        }
        ReceiverStream::new(receiver).map(|message| message.map(Encoded::from))
    }

    /// Waits until all streams have ended.
    pub async fn streams_ended(&self) {
        self.0.streams.close();
        self.0.streams.wait().await;
    }
}

/// A watch on its way to its reader.
struct Feed {
    watch: Watch,
    messages: Sender<Item<Message>>,
    /// How long the reader may take for one message.
    patience: Duration,
    /// How long the reader may be told anything.
    expiry: Expiry,
    /// The position of the last message that the reader has or will find.
    handed_over: Revision,
}

impl Feed {
    async fn run(mut self, last: OwnedPermit<Item<Message>>) {
        let (gone, departure, expired) = (self.messages.clone(), self.watch.departure(), self.expiry.passed());
        let ending = tokio::select! {
            ending = self.hand_over() => ending,
            () = departure => draining(Some(self.handed_over)),
            () = expired => identity_expired(Some(self.handed_over)),
            () = gone.closed() => return,
        };
        last.send(Err(ending.into()));
    }

    /// Hands over messages until there is a reason to stop. Nothing is looked up for a reader who has no place for it: whoever
    /// takes his time gets more in one message.
    async fn hand_over(&mut self) -> Failure {
        while let Some(place) = place(&self.messages, self.patience).await {
            match self.watch.next().await {
                Ok(message) => {
                    self.handed_over = message.revision();
                    place.send(Ok(message));
                }
                Err(error) => return (&error).into(),
            }
        }
        too_slow(self.handed_over, self.patience)
    }
}

/// A place for the next message, once the reader has taken the one before.
async fn place(messages: &Sender<Item<Message>>, patience: Duration) -> Option<Permit<'_, Item<Message>>> {
    match messages.try_reserve() {
        Ok(place) => Some(place),
        Err(_) => timeout(patience, messages.reserve()).await.ok()?.ok(),
    }
}

impl From<watch::Error> for Status {
    fn from(error: watch::Error) -> Self {
        Failure::from(error).into()
    }
}
