//! What replicas say to each other through the broker: heard by those who listen at that moment, and kept by nobody.

use std::future::pending;
use std::time::Duration;

use async_nats::Subscriber;
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::timeout;

use super::Error;
use super::link::Link;
use crate::publish::Connection;

/// What the replicas speak under.
const SUBJECT: &str = "leadflip.ownership.v1.wake";
/// What is longer was said by somebody else.
const MAX_BYTES: usize = 128 * 1024;

/// How long it may take until something that is said is heard, before it is said again.
const AGAIN: Duration = Duration::from_millis(200);

/// A connection to the other replicas.
pub(in crate::publish) struct Line(Link);

/// Hears what the others say.
pub(in crate::publish) struct Ear(Subscriber);

impl Line {
    /// Connects, and begins to listen. If the user of the service may not, nothing is heard.
    pub(in crate::publish) async fn open(connection: &Connection) -> Result<(Self, Ear), Error> {
        let link = Link::open(connection).await?;
        let listen = async {
            let heard = link.client.subscribe(SUBJECT).await.map_err(|error| Error::Refused(error.into()))?;
            link.client.flush().await.map_err(|error| Error::Refused(error.into()))?;
            Ok(Ear(heard))
        };
        let ear = timeout(link.patience, listen).await.map_err(|_| Error::Silent(link.patience))??;
        Ok((Self(link), ear))
    }

    /// Fails unless one connection hears what another one says: nothing, which nobody heeds.
    pub(in crate::publish) async fn hears_another(connection: &Connection) -> Result<(), Error> {
        let ((listener, mut ear), (speaker, _)) = tokio::try_join!(Self::open(connection), Self::open(connection))?;
        // Said again and again: the first words may reach the broker before it knows who listens.
        let heard = async {
            loop {
                speaker.say(Bytes::new()).await;
                if let Ok(heard) = timeout(AGAIN, ear.next()).await {
                    return heard;
                }
            }
        };
        tokio::select! {
            heard = listener.0.ask(SUBJECT, heard) => heard.map(drop),
            Err(error) = speaker.0.ask(SUBJECT, pending::<()>()) => Err(error),
        }
    }

    /// Completes when the connection is lost.
    pub(in crate::publish) async fn lost(&self) {
        self.0.lost().await;
    }

    /// Says something to the others.
    pub(in crate::publish) async fn say(&self, what: Bytes) {
        // If the connection is lost, another one is made, and what was to be said is of no use any more.
        drop(self.0.client.publish(SUBJECT, what).await);
    }
}

impl Ear {
    /// What another replica says next, or anybody else; nothing once the connection has ended.
    pub(in crate::publish) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let message = self.0.next().await?;
            if message.payload.len() <= MAX_BYTES {
                return Some(message.payload);
            }
        }
    }
}
