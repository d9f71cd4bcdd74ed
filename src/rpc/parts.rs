//! Streams that have an end: many messages about one snapshot, each made when there is room for it.

use std::sync::Arc;
use std::time::Duration;

use ownership_proto::Encoded;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Rpc;
use super::expiry::Expiry;
use super::status::{Failure, identity_expired};
use crate::ledger::Ledger;

/// Streams at the same time. What is changed while one is read is kept twice, so there are few; who comes later waits.
pub(super) const AT_ONCE: usize = 4;
/// Messages that are made before they can be sent, so that neither side waits for the other.
const AHEAD: usize = 2;

/// What the client receives.
pub(super) type Messages<T> = ReceiverStream<Result<Encoded<T>, Status>>;

impl Rpc {
    /// Waits until one more stream may be read.
    pub(super) async fn turn_to_stream(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Status> {
        let turn = Arc::clone(&self.0.turns).acquire_owned();
        // The semaphore is never closed.
        let turn = timeout_at(deadline, turn).await.ok().and_then(Result::ok);
        turn.ok_or_else(|| Failure::deadline().into())
    }

    /// The stream of some messages. A task makes them until the client goes away, takes none for too long, or its identity
    /// ends.
    pub(super) fn stream_in_parts<T: Send + 'static>(
        &self,
        messages: impl Iterator<Item = Encoded<T>> + Send + 'static,
        ledger: Ledger,
        turn: OwnedSemaphorePermit,
        expiry: Expiry,
    ) -> Messages<T> {
        // One place more is kept for the status at the end.
        let (sender, receiver) = mpsc::channel(AHEAD + 1);
        if let Ok(last) = sender.clone().try_reserve_owned() {
            let patience = self.0.options.send_timeout;
            self.0.streams.spawn(async move {
                let sent = tokio::select! {
                    sent = send_all(messages, sender, patience, &ledger) => sent,
                    () = expiry.passed() => Err(identity_expired(None)),
                };
                if let Err(failure) = sent {
                    last.send(Err(failure.into()));
                }
                drop(turn);
            });
        }
        ReceiverStream::new(receiver)
    }
}

async fn send_all<T>(
    messages: impl Iterator<Item = Encoded<T>>,
    sender: mpsc::Sender<Result<Encoded<T>, Status>>,
    patience: Duration,
    ledger: &Ledger,
) -> Result<(), Failure> {
    for message in messages {
        match sender.send_timeout(Ok(message), patience).await {
            Ok(()) => {}
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => return Err(Failure::deadline()),
            // Nobody is there to be told.
            Err(mpsc::error::SendTimeoutError::Closed(_)) => break,
        }
        // Making a message takes a while, and there may be many in a row.
        ledger.give_way().await;
    }
    Ok(())
}
