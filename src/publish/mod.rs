//! Publishing: every committed change of an owner reaches the broker, once and in order for each account.
//!
//! The stream is its own watermark. Whoever publishes an account reads the last message of its subject, goes on after it, and
//! appends on the condition that it still is the last one. So it does not matter how many replicas do so at once, and how any
//! of them ends. The outbox tells which accounts have something to publish; what is in it need not be true, only complete.

mod audit;
mod backlog;
mod broker;
mod checkup;
mod event;
mod failure;
mod pack;
mod queue;
mod reader;
mod relay;
mod session;
mod settlement;
mod wake;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use checkup::examine;
pub use event::{Event, Format};

use crate::ledger::Ledger;

use session::Publishing;

/// How to reach the broker, and who the service is there.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its servers.
    pub urls: Vec<String>,
    /// User and password.
    pub login: Option<Login>,
    /// A file with JWT and key.
    pub credentials_file: Option<PathBuf>,
    /// A file with the certificates that the broker's is checked against.
    pub ca_file: Option<PathBuf>,
    /// Files with the certificate of the service and its key.
    pub client_files: Option<(PathBuf, PathBuf)>,
    /// How long it may take to answer.
    pub ack_timeout: Duration,
}

/// Who the service is. Never printed.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// What the stream must be.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// How many servers keep it, at least.
    pub replicas: usize,
    /// How long it keeps messages.
    pub max_age: Duration,
    /// How large it may get.
    pub max_bytes: Option<u64>,
}

/// How changes are published.
#[derive(Debug, Clone)]
pub struct Options {
    /// The broker.
    pub connection: Connection,
    /// The stream there.
    pub stream: Stream,
    /// How often the outbox is looked at.
    pub poll_interval: Duration,
    /// Accounts that are published at the same time.
    pub at_once: usize,
    /// How events are written.
    pub format: Format,
}

/// Publishes in the background.
#[derive(Debug)]
pub struct Publisher {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Publisher {
    /// Starts to publish, as soon as there is a broker to publish to.
    #[expect(clippy::disallowed_methods, reason = "the publisher owns its task, and awaits it when it is drained")]
    pub fn start(ledger: Ledger, options: Options) -> Self {
        let stop = CancellationToken::new();
        let publishing = Publishing::new(ledger, Arc::new(options), stop.clone());
        Self { task: tokio::spawn(publishing.run()), stop }
    }

    /// Publishes what this replica still has to, for so long at most. What is left waits for another one.
    pub async fn drain(self, limit: Duration) {
        let Self { mut task, stop } = self;
        stop.cancel();
        if timeout(limit, &mut task).await.is_err() {
            tracing::warn!(waited = ?limit, "some changes are left for others to publish");
            task.abort();
        }
    }
}
