//! The broker: the only place that names its client.

mod line;
mod link;
mod stream;
mod wire;

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream as Handle};

use bytes::Bytes;
use tracing::Instrument;

use super::audit::State;
use super::event::{Event, Tail};
use super::{Connection, Format, Stream};
use crate::domain::ids::AccountId;
use crate::trace::{self, Trace};
use link::Link;

pub(super) use line::{Ear, Line};
pub(super) use stream::Difference;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the broker did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It cannot be reached, or does not take the service for who it says it is.
    #[error("the broker cannot be reached")]
    Unreachable(#[source] Source),
    /// The connection was lost.
    #[error("the connection to the broker was lost")]
    Lost,
    /// It did not answer in time: what was asked may have happened.
    #[error("the broker did not answer within {0:?}")]
    Silent(Duration),
    /// It has no JetStream, or not for this user.
    #[error("the broker has no JetStream for this service")]
    NoJetStream(#[source] Source),
    /// The user of the service may not do it.
    #[error("the user of the service lacks a permission: {0}")]
    Forbidden(String),
    /// The stream is gone.
    #[error("the broker has no stream {0}")]
    NoStream(String),
    /// The stream is not what it must be.
    #[error("the stream {name} is not as configured, so nothing is published into it: {}", told(.differences))]
    Different {
        /// Its name.
        name: String,
        /// What is different.
        differences: Vec<Difference>,
    },
    /// Somebody else has published since.
    #[error("somebody else published at the same time")]
    Outrun,
    /// It refuses to do it.
    #[error("the broker refuses")]
    Refused(#[source] Source),
}

impl Error {
    /// Whether nothing more can be done over the connection it came from.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Lost | Self::NoJetStream(_) | Self::NoStream(_) | Self::Different { .. } => {
                true
            }
            Self::Silent(_) | Self::Forbidden(_) | Self::Outrun | Self::Refused(_) => false,
        }
    }

    /// What went wrong, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Lost => "lost",
            Self::NoJetStream(_) => "no_jetstream",
            Self::Forbidden(_) => "forbidden",
            Self::NoStream(_) => "no_stream",
            Self::Different { .. } => "different",
            Self::Silent(_) => "silent",
            Self::Outrun => "outrun",
            Self::Refused(_) => "refused",
        }
    }
}

fn told(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
}

/// The stream at the broker, over one connection.
pub(super) struct Broker {
    context: Context,
    stream: String,
    link: Link,
}

impl Broker {
    /// Connects.
    pub(super) async fn connect(connection: &Connection, stream: &str) -> Result<Self, Error> {
        let link = Link::open(connection).await?;
        let patience = link.patience * 2;
        let context = {
            let _within = link.enter();
            ContextBuilder::new().timeout(patience).ack_timeout(patience).build(link.client.clone())
        };
        Ok(Self { context, stream: stream.to_owned(), link })
    }

    /// Completes when the connection is lost.
    pub(super) async fn lost(&self) {
        self.link.lost().await;
    }

    /// Makes sure that the stream is there and as it must be. `known` is the highest sequence number that a message is known to have
    /// had.
    pub(super) async fn prepare(&self, wanted: &Stream, known: i64) -> Result<(), Error> {
        stream::prepare(self, wanted, known).await
    }

    /// How the stream is. Fails if it is gone, or not as it must be.
    pub(super) async fn state(&self, wanted: &Stream) -> Result<State, Error> {
        stream::state(self, wanted).await
    }

    /// Where an account stands in the stream; nowhere, if the stream has nothing of it. Asks the server that leads the stream: the
    /// others may be behind.
    pub(super) async fn tail(&self, account: &AccountId) -> Result<Option<Tail>, Error> {
        let stream = self.handle().await?;
        let subject = wire::subject(account);
        match self.ask("STREAM.MSG.GET", stream.get_last_raw_message_by_subject(&subject)).await? {
            Ok(message) => Ok(Some(Tail { sequence: message.sequence, said: wire::said(&message.headers) })),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(cause) if cause.code() == 404 => {
                    Err(Error::NoStream(self.stream.clone()))
                }
                _ => Err(Error::Refused(error.into())),
            },
        }
    }

    /// Appends an event, on the condition that the last message of its subject has this sequence number; 0: that there is none.
    /// Returns the sequence number it got.
    /// Goes on from the traces of those who made its revisions.
    pub(super) async fn append(
        &self,
        event: &Event,
        format: &Format,
        behind: u64,
        traces: &[Trace],
    ) -> Result<u64, Error> {
        let (account, first, last) = (&event.account, event.first.0, event.last.0);
        let span = tracing::debug_span!("publish", otel.kind = "producer", %account, first, last);
        Trace::lead_to(traces, &span);
        let mut headers = wire::headers(event, format);
        trace::headers_of(&span).into_iter().for_each(|(name, value)| headers.insert(name.as_str(), value));
        self.send(event, headers, (format.event)(event), behind).instrument(span).await
    }

    async fn send(&self, event: &Event, headers: HeaderMap, data: Bytes, behind: u64) -> Result<u64, Error> {
        let message = PublishMessage::build()
            .headers(headers)
            .payload(data)
            .expected_stream(&self.stream)
            .expected_last_subject_sequence(behind);
        let subject = wire::subject(&event.account);
        let publish = async { self.context.send_publish(subject.clone(), message).await?.await };
        self.link.ask(&subject, publish).await?.map(|acknowledgement| acknowledgement.sequence).map_err(|error| {
            match error.kind() {
                PublishErrorKind::WrongLastSequence => Error::Outrun,
                PublishErrorKind::TimedOut => Error::Silent(self.link.patience),
                PublishErrorKind::StreamNotFound => Error::NoStream(self.stream.clone()),
                PublishErrorKind::BrokenPipe => Error::Unreachable(error.into()),
                PublishErrorKind::WrongLastMessageId
                | PublishErrorKind::MaxAckPending
                | PublishErrorKind::MaxPayloadExceeded
                | PublishErrorKind::Other => Error::Refused(error.into()),
            }
        })
    }

    /// The version of the server.
    pub(super) fn version(&self) -> String {
        self.link.client.server_info().version
    }

    /// The largest message it takes.
    fn largest_message(&self) -> usize {
        self.link.client.server_info().max_payload
    }

    /// Whether the stream is there. Fails if it is not as it must be.
    pub(super) async fn find(&self, wanted: &Stream) -> Result<bool, Error> {
        stream::find(self, wanted).await
    }

    /// Fails if the last message of an account cannot be read.
    pub(super) async fn try_to_read(&self) -> Result<(), Error> {
        let stream = self.handle().await?;
        let nobody = wire::subject_of_nobody();
        self.ask("STREAM.MSG.GET", stream.get_last_raw_message_by_subject(&nobody)).await.map(drop)
    }

    /// Fails if nothing can be appended. What is sent to find out names another stream, so this one does not take it.
    pub(super) async fn try_to_append(&self) -> Result<(), Error> {
        let message = PublishMessage::build().expected_stream("none");
        let nobody = wire::subject_of_nobody();
        let publish = async { self.context.send_publish(nobody.clone(), message).await?.await };
        self.link.ask(&nobody, publish).await.map(drop)
    }

    /// Waits for the answer to a question about the stream.
    async fn ask<T>(&self, question: &str, asked: impl Future<Output = T>) -> Result<T, Error> {
        self.link.ask(&format!("$JS.API.{question}.{}", self.stream), asked).await
    }

    async fn handle(&self) -> Result<Handle<()>, Error> {
        self.context.get_stream_no_info(&self.stream).await.map_err(|error| Error::Refused(error.into()))
    }
}
