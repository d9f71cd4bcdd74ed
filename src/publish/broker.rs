//! The broker: the only place that names its client.

mod stream;
mod wire;

use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream as Handle};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::audit::State;
use super::event::{Event, Tail};
use super::{Connection, Format, Login, Stream};
use crate::domain::ids::AccountId;

pub(super) use stream::Difference;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it lives. It has to answer before it was asked for the third time.
const PING: Duration = Duration::from_secs(5);

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
            Self::Silent(_) | Self::Outrun | Self::Refused(_) => false,
        }
    }

    /// What went wrong, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Lost => "lost",
            Self::NoJetStream(_) => "no_jetstream",
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

/// A connection to the broker. It ends when it is lost, and is not made again behind anybody's back.
pub(super) struct Broker {
    context: Context,
    stream: String,
    ack_timeout: Duration,
    lost: CancellationToken,
    _runtime: Ending,
}

impl Broker {
    /// Connects.
    pub(super) async fn connect(connection: &Connection, stream: &str) -> Result<Self, Error> {
        let lost = CancellationToken::new();
        let options = options(connection, &lost).await?;
        // The client would connect again by itself, and then send what was waiting to be sent: what was right to publish once, and
        // perhaps no longer is. Here its tasks end with the connection, and what they have not sent is gone.
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("broker").enable_all().build();
        let runtime = runtime.map_err(|error| Error::Unreachable(error.into()))?;
        let connecting = runtime.spawn(options.connect(connection.urls.clone()));
        let runtime = Ending(Some(runtime));
        let client = match timeout(CONNECT * 2, connecting).await {
            Ok(Ok(client)) => client.map_err(|error| Error::Unreachable(error.into()))?,
            Ok(Err(error)) => return Err(Error::Unreachable(error.into())),
            Err(_) => return Err(Error::Silent(CONNECT * 2)),
        };
        // The client's own limits come second: ours say what they mean.
        let ack_timeout = connection.ack_timeout;
        let context = {
            let _within = runtime.0.as_ref().map(Runtime::enter);
            ContextBuilder::new().timeout(ack_timeout * 2).ack_timeout(ack_timeout * 2).build(client)
        };
        Ok(Self { context, stream: stream.to_owned(), ack_timeout, lost, _runtime: runtime })
    }

    /// Completes when the connection is lost.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Makes sure that the stream is there and as it must be. `known` is the highest sequence number that a message is known to have
    /// had.
    pub(super) async fn prepare(&self, wanted: &Stream, known: i64) -> Result<(), Error> {
        stream::prepare(&self.context, wanted, known, self.ack_timeout).await
    }

    /// How the stream is. Fails if it is gone, or not as it must be.
    pub(super) async fn state(&self, wanted: &Stream) -> Result<State, Error> {
        stream::state(&self.context, wanted, self.ack_timeout).await
    }

    /// Where an account stands in the stream; nowhere, if the stream has nothing of it. Asks the server that leads the stream: the
    /// others may be behind.
    pub(super) async fn tail(&self, account: &AccountId) -> Result<Option<Tail>, Error> {
        let stream = self.handle().await?;
        let subject = wire::subject(account);
        let asked = timeout(self.ack_timeout, stream.get_last_raw_message_by_subject(&subject)).await;
        match asked.map_err(|_| Error::Silent(self.ack_timeout))? {
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
    #[tracing::instrument(
        level = "debug",
        name = "publish",
        skip_all,
        fields(account = %event.account, first = event.first.0, last = event.last.0)
    )]
    pub(super) async fn append(&self, event: &Event, format: &Format, behind: u64) -> Result<u64, Error> {
        let message = PublishMessage::build()
            .headers(wire::headers(event, format))
            .payload((format.event)(event))
            .expected_stream(&self.stream)
            .expected_last_subject_sequence(behind);
        let publish = async { self.context.send_publish(wire::subject(&event.account), message).await?.await };
        let acknowledged = timeout(self.ack_timeout, publish).await.map_err(|_| Error::Silent(self.ack_timeout))?;
        acknowledged.map(|acknowledgement| acknowledgement.sequence).map_err(|error| match error.kind() {
            PublishErrorKind::WrongLastSequence => Error::Outrun,
            PublishErrorKind::TimedOut => Error::Silent(self.ack_timeout),
            PublishErrorKind::StreamNotFound => Error::NoStream(self.stream.clone()),
            PublishErrorKind::BrokenPipe => Error::Unreachable(error.into()),
            PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::MaxAckPending
            | PublishErrorKind::MaxPayloadExceeded
            | PublishErrorKind::Other => Error::Refused(error.into()),
        })
    }

    async fn handle(&self) -> Result<Handle<()>, Error> {
        self.context.get_stream_no_info(&self.stream).await.map_err(|error| Error::Refused(error.into()))
    }
}

/// The runtime of a client, ended without waiting: what waits is dropped.
struct Ending(Option<Runtime>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn options(connection: &Connection, lost: &CancellationToken) -> Result<ConnectOptions, Error> {
    let Connection { urls: _, login, credentials_file, ca_file, client_files, ack_timeout } = connection;
    let (lost, said) = (lost.clone(), Mutex::new(String::new()));
    let mut options = ConnectOptions::new()
        .name("ownership")
        .connection_timeout(CONNECT)
        .request_timeout(Some(*ack_timeout * 2))
        .ping_interval(PING)
        .event_callback(move |event| {
            match event {
                async_nats::Event::Disconnected | async_nats::Event::Closed => lost.cancel(),
                // Such as a permission that the service lacks, which the broker says once for each message.
                async_nats::Event::ServerError(error) => tell_once(&said, error.to_string()),
                _ => {}
            }
            std::future::ready(())
        });
    if let Some(Login { user, password }) = login {
        options = options.user_and_password(user.clone(), password.clone());
    }
    if let Some(file) = credentials_file {
        options = options.credentials_file(file).await.map_err(|error| Error::Unreachable(error.into()))?;
    }
    if let Some(file) = ca_file {
        options = options.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = client_files {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

fn tell_once(said: &Mutex<String>, error: String) {
    let mut said = said.lock();
    if *said != error {
        tracing::warn!(error, "the broker complains");
        *said = error;
    }
}
