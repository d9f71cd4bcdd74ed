//! A connection to the broker. It ends when it is lost, and is not made again behind anybody's back.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerError};
use parking_lot::Mutex;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::publish::{Connection, Login};

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it lives. It has to answer before it was asked for the third time.
const PING: Duration = Duration::from_secs(5);
/// Messages that may wait to be heard. Those beyond are dropped.
const NOT_HEARD: usize = 256;
/// What the broker forbids, as long as nobody has looked at it.
const FORBIDDEN: usize = 64;
/// How the broker begins to say that it forbids something.
const VIOLATION: &str = "Permissions Violation for ";

/// A connection.
pub(super) struct Link {
    pub(super) client: Client,
    /// How long the broker may take to answer.
    pub(super) patience: Duration,
    lost: CancellationToken,
    forbidden: broadcast::Sender<String>,
    runtime: Ending,
}

impl Link {
    /// Connects.
    pub(super) async fn open(connection: &Connection) -> Result<Self, Error> {
        let (lost, forbidden) = (CancellationToken::new(), broadcast::Sender::new(FORBIDDEN));
        let options = options(connection).await?.event_callback({
            let (lost, forbidden, told) = (lost.clone(), forbidden.clone(), Mutex::default());
            move |event| {
                hear(event, &lost, &forbidden, &told);
                std::future::ready(())
            }
        });
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
        Ok(Self { client, patience: connection.ack_timeout, lost, forbidden, runtime })
    }

    /// Completes when the connection is lost.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Where the tasks of the client run.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.runtime.0.as_ref().map(Runtime::enter)
    }

    /// Waits for the answer to what is sent under a subject. The broker answers nothing that it forbids; it only complains.
    pub(super) async fn ask<T>(&self, subject: &str, asked: impl Future<Output = T>) -> Result<T, Error> {
        let forbidden = self.forbidden.subscribe();
        tokio::select! {
            answer = timeout(self.patience, asked) => answer.map_err(|_| Error::Silent(self.patience)),
            what = complaint(forbidden, subject) => Err(Error::Forbidden(what)),
        }
    }
}

/// What the broker forbids of something that is asked under a subject, as soon as it says so. Without an inbox it cannot answer
/// either.
async fn complaint(mut forbidden: broadcast::Receiver<String>, subject: &str) -> String {
    let subject = format!("\"{subject}\"");
    loop {
        match forbidden.recv().await {
            Ok(what) if what.contains(&subject) || what.contains("\"_INBOX.") => return what,
            // The sender lives as long as the connection that is asked.
            Ok(_) | Err(_) => {}
        }
    }
}

fn hear(event: Event, lost: &CancellationToken, forbidden: &broadcast::Sender<String>, told: &Mutex<String>) {
    match event {
        Event::Disconnected | Event::Closed => lost.cancel(),
        Event::ServerError(ServerError::Other(error)) => {
            let what = error.trim_matches('\'').strip_prefix(VIOLATION);
            // Who waits for the answer tells of it.
            let heard = what.is_some_and(|what| forbidden.send(what.to_owned()).is_ok());
            if !heard {
                tell_once(told, error);
            }
        }
        Event::ServerError(error) => tell_once(told, error.to_string()),
        _ => {}
    }
}

fn tell_once(told: &Mutex<String>, error: String) {
    let mut told = told.lock();
    if *told != error {
        tracing::warn!(error, "the broker complains");
        *told = error;
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

async fn options(connection: &Connection) -> Result<ConnectOptions, Error> {
    let Connection { urls: _, login, credentials_file, ca_file, client_files, ack_timeout } = connection;
    // The client's own limits come second: ours say what they mean.
    let mut options = ConnectOptions::new()
        .name("ownership")
        .no_echo()
        .connection_timeout(CONNECT)
        .request_timeout(Some(*ack_timeout * 2))
        .subscription_capacity(NOT_HEARD)
        .ping_interval(PING);
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
