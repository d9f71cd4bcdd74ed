//! A message under way, and what the broker is told of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use parking_lot::Mutex;

use super::event::{self, Event, Fault};
use crate::BoxError;

/// A message under way.
#[derive(Debug)]
pub(super) struct Delivery {
    message: Message,
    /// Its number in the stream.
    pub(super) sequence: u64,
    /// Whether it was delivered before.
    pub(super) again: bool,
    /// Whether the broker had more that it has not delivered yet.
    pub(super) more: bool,
}

impl Delivery {
    pub(super) fn new(message: Message) -> Result<Self, BoxError> {
        let info = message.info()?;
        let (sequence, again, more) = (info.stream_sequence, info.delivered > 1, info.pending > 0);
        Ok(Self { message, sequence, again, more })
    }

    /// The message.
    pub(super) fn message(&self) -> &async_nats::Message {
        &self.message.message
    }

    /// The subject of its account.
    pub(super) fn subject(&self) -> &str {
        &self.message.subject
    }

    /// What it says.
    pub(super) fn event(&self) -> Result<Event, Fault> {
        event::read(self.subject(), self.message.headers.as_ref(), &self.message.payload)
    }

    /// It is done with. The word may get lost: then it comes again, and is recognised by its revision.
    pub(super) async fn done(&self) {
        self.tell(AckKind::Ack).await;
    }

    /// It is done with, and must not come again: waits until the broker knows.
    pub(super) async fn done_for_good(&self) {
        if let Err(error) = self.message.double_ack().await {
            tracing::warn!(error, sequence = self.sequence, "the broker does not say that it knows what is done");
        }
    }

    /// It is to come again after a while.
    pub(super) async fn again(&self, pause: Duration) {
        self.tell(AckKind::Nak(Some(pause))).await;
    }

    /// It was not looked at, and is for whoever asks next.
    pub(super) async fn give_back(&self) {
        self.tell(AckKind::Nak(None)).await;
    }

    async fn tell(&self, what: AckKind) {
        if let Err(error) = self.message.ack_with(what).await {
            tracing::debug!(error, sequence = self.sequence, "the broker cannot be told; the message will come again");
        }
    }
}

/// The messages that are waiting for their turn or worked on: the broker is told so, lest it delivers them again.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashMap<u64, Arc<Delivery>>>);

impl UnderWay {
    pub(super) fn add(&self, delivery: &Arc<Delivery>) {
        self.0.lock().insert(delivery.sequence, Arc::clone(delivery));
    }

    pub(super) fn remove(&self, delivery: &Delivery) {
        self.0.lock().remove(&delivery.sequence);
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// Tells it again and again.
    pub(super) async fn keep(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let all: Vec<_> = self.0.lock().values().cloned().collect();
            for delivery in all {
                delivery.tell(AckKind::Progress).await;
            }
        }
    }
}
