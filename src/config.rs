//! The configuration: every key, what it means, and its default.
//!
//! Keys come from a TOML file (`--config FILE`), from the environment, and from flags, of which the later ones win. In the
//! environment `server.listen` is `OWNERSHIP__SERVER__LISTEN`; an empty variable counts as absent. On the command line it is
//! `--set server.listen=127.0.0.1:50051`. Spans of time are written `200ms`, `15s`, `30days`.
//!
//! A secret can also be kept in a file, as platforms mount them: `database.url_file`, or `OWNERSHIP__DATABASE__URL_FILE`, names
//! one whose content is `database.url`. It is read when the service starts. Everything that is wrong with a configuration is
//! reported at once, and an unknown key is wrong.

mod auth;
mod events;
mod given;
mod load;
mod secret;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use auth::{Auth, Jwt};
pub use events::Events;
pub use load::{Error, Problem, SECRETS};
pub use secret::{DatabaseUrl, Secret};
pub use tls::Tls;

/// A key, whether its value makes sense, and what it must be.
type Check = (&'static str, bool, &'static str);

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How callers reach the service, and what they may ask of it.
    pub server: Server,
    /// Who may call.
    pub auth: Auth,
    /// Where the platform asks about the process: `/livez`, `/readyz`, `/metrics` and `/config`.
    pub admin: Admin,
    /// Where everything is kept.
    pub database: Database,
    /// What may be held in memory.
    pub memory: Memory,
    /// How writes queue.
    pub door: Door,
    /// How long the past is kept.
    pub log: Log,
    /// How watches behave.
    pub watch: Watch,
    /// Where changes are published to.
    pub events: Events,
    /// What the service tells about itself.
    pub telemetry: Telemetry,
}

/// `server.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on. Port 0 takes a free one, which is then printed.
    pub listen: SocketAddr,
    /// Whether to listen on other addresses than loopback although nobody has to prove who they are, by a token or a client
    /// certificate. The network has to keep strangers out then.
    pub allow_insecure: bool,
    /// How connections are encrypted.
    pub tls: Tls,
    /// Whether to serve reflection, so that tools like grpcurl need no proto files.
    pub reflection: bool,
    /// How long a call may take that names no deadline.
    #[serde(with = "humantime_serde")]
    pub default_deadline: Duration,
    /// How long any call may take, whatever deadline it names. Streams only until they begin.
    #[serde(with = "humantime_serde")]
    pub max_deadline: Duration,
    /// Largest request, in bytes. 1 KiB to 64 MiB.
    pub max_request_bytes: usize,
    /// How old a connection gets until its client is asked to make another one, which may lead to another replica. Calls and watches
    /// on it are not cut. Each process takes up to a tenth more or less, the same for all its connections: those that were made at the
    /// same time end at the same time. At least 1 s.
    #[serde(with = "humantime_serde")]
    pub max_connection_age: Duration,
    /// How long new calls are still accepted after the service was told to stop, while health says NOT_SERVING: as long as it
    /// takes until nobody sends any.
    #[serde(with = "humantime_serde")]
    pub drain_delay: Duration,
    /// How long calls under way then get to finish. Watches are ended one after the other in the first half of it.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

/// `admin.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Whether there is an admin port.
    pub enabled: bool,
    /// Address and port to listen on. There is no authentication: it tells nothing that is secret, and names no account. Port 0
    /// takes a free one, which is then logged.
    pub listen: SocketAddr,
}

/// `database.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` (one process) or `postgres://USER:PASSWORD@HOST/NAME` (any number of replicas).
    pub url: DatabaseUrl,
    /// Most connections at once. 2 to 1,000.
    pub max_connections: u32,
    /// Whether to bring the database up to date at the start. Absent: yes on SQLite, no on Postgres, where `ownership migrate`
    /// runs before a release.
    pub migrate_on_start: Option<bool>,
}

/// `memory.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Memory for accounts, in bytes. The least recently used ones make room; an account that needs more by itself is refused.
    /// At least 1 MiB.
    pub budget_bytes: usize,
    /// How long an account that nobody uses stays in memory.
    #[serde(with = "humantime_serde")]
    pub idle_after: Duration,
}

/// `door.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Door {
    /// How many writes of one account may wait before further ones are refused. 1 to 100,000.
    pub queue_depth: usize,
    /// Writes of one account that may share a transaction, also with those of other accounts. 1 turns all sharing off, which only a
    /// benchmark wants.
    pub max_batch: usize,
    /// Transactions that write at the same time, over all accounts: at least 1 and fewer than `database.max_connections`, so that
    /// reads find a connection. Of no meaning on SQLite, which has one writer.
    pub writers: usize,
}

/// `log.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How long facts other than owner changes are kept, so that a replica that was away can catch up.
    #[serde(with = "humantime_serde")]
    pub catch_up_retention: Duration,
    /// How long owner changes are kept: timelines, watches from the past, owners at a time; at least until they are published,
    /// where `events.url` is set. Absent: for ever.
    #[serde(with = "humantime_serde")]
    pub history_retention: Option<Duration>,
    /// How long a request id is remembered.
    #[serde(with = "humantime_serde")]
    pub request_retention: Duration,
    /// How often what is too old is looked for.
    #[serde(with = "humantime_serde")]
    pub trim_interval: Duration,
}

/// `watch.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// How often the log is looked at for the writes of other replicas. With `events.url` they also wake each other.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    /// Longest silence of a watch that asks for none itself. 1 s to 60 s.
    #[serde(with = "humantime_serde")]
    pub progress_interval: Duration,
    /// How long one message may wait for its reader before the watch is cut.
    #[serde(with = "humantime_serde")]
    pub send_timeout: Duration,
    /// How many watches one caller may hold on a replica.
    pub per_caller: usize,
    /// How many watches a replica holds in all.
    pub per_replica: usize,
}

/// `telemetry.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged to stderr: a level, or directives such as `info,ownership::ledger=debug`.
    pub log: String,
    /// How it is written.
    pub log_format: LogFormat,
    /// Where traces, metrics and the log are sent: an OTLP/gRPC collector such as `http://localhost:4317`. Absent: nowhere.
    pub otlp_endpoint: Option<String>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object for each event.
    Json,
}

impl Config {
    /// Whether callers have to prove who they are.
    pub fn authenticates(&self) -> bool {
        self.auth.jwt.issuer.is_some() || self.server.tls.client_ca_file.is_some()
    }
}

/// What stands between the commas of a text.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl Database {
    /// Whether this process brings the database up to date when it starts.
    pub fn migrates_on_start(&self) -> bool {
        self.migrate_on_start.unwrap_or(self.url.is_sqlite())
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            allow_insecure: false,
            tls: Tls::default(),
            reflection: true,
            default_deadline: Duration::from_secs(10),
            max_deadline: Duration::from_secs(30),
            max_request_bytes: 1024 * 1024,
            max_connection_age: Duration::from_secs(5 * 60),
            drain_delay: Duration::ZERO,
            drain: Duration::from_secs(20),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: DatabaseUrl::new("sqlite:ownership.db"), max_connections: 10, migrate_on_start: None }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self { budget_bytes: 512 * 1024 * 1024, idle_after: Duration::from_secs(15 * 60) }
    }
}

impl Default for Door {
    fn default() -> Self {
        Self { queue_depth: 1024, max_batch: 512, writers: 4 }
    }
}

impl Default for Log {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            catch_up_retention: DAY,
            history_retention: None,
            request_retention: 30 * DAY,
            trim_interval: Duration::from_secs(60),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(200),
            progress_interval: Duration::from_secs(15),
            send_timeout: Duration::from_secs(30),
            per_caller: 20,
            per_replica: 4096,
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log: "info".to_owned(), log_format: LogFormat::Text, otlp_endpoint: None }
    }
}
