//! Getting ready, and finding out when the service no longer is: calls are answered from when it is, and health says so.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::health::{Health, NO_DATABASE, SCHEMA_IS_OLD, STARTING, STOPPING, Why};
use super::publishing;
use crate::ageing;
use crate::config::Config;
use crate::ledger::{self, Ledger, Retention};
use crate::metrics;
use crate::publish::Publisher;
use crate::rpc::{Backend, Rpc};
use crate::store::{self, Pool, Store};
use crate::watch::{self, Watches};

/// Pause between two attempts to get ready.
const RETRY: Duration = Duration::from_millis(500);
/// How often the same reason for not being ready is logged.
const REPEAT_LOG: Duration = Duration::from_secs(60);
/// How often the database is asked for a sign of life, and after how many failures in a row it counts as lost.
const PROBE: Duration = Duration::from_secs(2);
const LOST_AFTER: u32 = 3;
/// How long the last changes may take to be published when the service ends.
const PUBLISH_REST: Duration = Duration::from_secs(5);
/// For how long the log may not have been followed.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// Why the service cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The schema is older than this program. `ownership migrate` brings it up to date.
    #[error("the database lacks {} of the changes this version needs: run `ownership migrate`", .0.len())]
    Pending(Vec<String>),
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migration(#[from] ownership_migrations::Error),
    /// The database cannot be reached or used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The state cannot be taken up.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

impl NotReady {
    /// The same for everybody who can reach the admin port.
    fn in_words(&self) -> Why {
        match self {
            Self::Pending(_) => SCHEMA_IS_OLD,
            Self::Migration(_) | Self::Store(_) => NO_DATABASE,
            Self::Ledger(_) => STARTING,
        }
    }
}

/// A service on its way to being ready.
pub(super) struct Readiness {
    service: Service,
}

/// What becomes ready.
#[derive(Clone)]
struct Service {
    rpc: Rpc,
    health: Health,
    publisher: Arc<Mutex<Option<Publisher>>>,
}

/// A service whose readiness is looked after.
pub(super) struct Kept {
    service: Service,
    keeper: JoinSet<()>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl Readiness {
    /// Not ready.
    pub(super) fn new(rpc: Rpc, health: Health) -> Self {
        Self { service: Service { rpc, health, publisher: Arc::default() } }
    }

    /// Tries to get ready. Where a failure may pass by itself, the attempt is repeated in the background for as long as it takes.
    pub(super) async fn open(self, config: &Config) -> Result<Kept, NotReady> {
        let Self { service } = self;
        let first = match open(config).await {
            Ok(opened) => Some(opened),
            Err(error) if may_pass(&error, config) => {
                tell(&error, &service.health).await;
                None
            }
            Err(error) => return Err(error),
        };
        let ready = first.is_some();
        if let Some((_, backend)) = &first {
            service.serve(config, backend).await;
        }
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(config.clone(), service.clone(), first));
        tracing::info!(ready, database = config.database.url.describe(), "started");
        Ok(Kept { service, keeper })
    }
}

impl Service {
    /// From now on calls are answered, and changes are published.
    async fn serve(&self, config: &Config, backend: &Backend) {
        self.rpc.open(backend.clone());
        // The broker is no part of being ready: without it, changes wait.
        *self.publisher.lock() = publishing::start(config, &backend.ledger);
        self.health.tell(Ok(())).await;
    }
}

impl Kept {
    /// Tells whoever sends calls to send no more.
    pub(super) async fn leave(&mut self) {
        self.keeper.shutdown().await;
        self.service.health.tell(Err(STOPPING)).await;
    }

    /// Sends away those who follow something without an end: who watches changes, one after the other within a time, and who
    /// watches health.
    pub(super) async fn drain(&mut self, within: Duration) {
        self.service.rpc.drain(within);
        self.service.health.let_go().await;
    }

    /// Takes no more writes, and has published what was written.
    pub(super) async fn close(&self) {
        self.service.rpc.close();
        let publisher = self.service.publisher.lock().take();
        if let Some(publisher) = publisher {
            publisher.drain(PUBLISH_REST).await;
        }
    }
}

/// On SQLite the database is a file of ours: what is wrong with it stays wrong until somebody does something.
fn may_pass(error: &NotReady, config: &Config) -> bool {
    !config.database.url.is_sqlite() || matches!(error, NotReady::Pending(_))
}

async fn tell(error: &NotReady, health: &Health) {
    tracing::warn!(error = error as &dyn std::error::Error, "not ready; trying again");
    health.tell(Err(error.in_words())).await;
}

async fn open(config: &Config) -> Result<(Store, Backend), NotReady> {
    let url = config.database.url.expose();
    if config.database.migrates_on_start() {
        let applied = ownership_migrations::migrate(url).await?;
        tracing::debug!(?applied, "the schema is up to date");
    }
    let options = store::Options { url: url.to_owned(), max_connections: config.database.max_connections };
    let store = Store::connect(&options).await?;
    let pending = store.pending().await?;
    metrics::get().pending_migrations(pending.len());
    if !pending.is_empty() {
        return Err(NotReady::Pending(pending));
    }
    let ledger = Ledger::start(store.clone(), ledger_options(config)).await?;
    let limits = watch::Options { per_caller: config.watch.per_caller, per_replica: config.watch.per_replica };
    let watches = Watches::new(ledger.clone(), limits);
    Ok((store, Backend { ledger, watches }))
}

fn ledger_options(config: &Config) -> ledger::Options {
    ledger::Options {
        queue_depth: config.door.queue_depth,
        max_batch: config.door.max_batch,
        writers: config.door.writers,
        connections: config.database.max_connections as usize,
        memory_budget_bytes: config.memory.budget_bytes,
        idle_after: config.memory.idle_after,
        poll_interval: config.watch.poll_interval,
        retention: Retention {
            facts: config.log.catch_up_retention,
            history: config.log.history_retention,
            requests: config.log.request_retention,
            until_published: config.events.url.is_some(),
        },
        trim_interval: config.log.trim_interval,
    }
}

/// Gets ready, and then says when the service no longer is, and when it is again. Until then others are told of leads that nobody
/// owns for too long.
async fn keep(config: Config, service: Service, first: Option<(Store, Backend)>) {
    let (store, backend) = match first {
        Some(opened) => opened,
        None => {
            let (store, backend) = opened(&config, &service.health).await;
            service.serve(&config, &backend).await;
            tracing::info!("ready");
            (store, backend)
        }
    };
    tokio::join!(watch_over(&store, &backend.ledger, &service.health), ageing::tell_always(&backend.ledger));
}

/// Tries until it succeeds. The same reason is not logged again and again.
async fn opened(config: &Config, health: &Health) -> (Store, Backend) {
    let mut told = (String::new(), Instant::now());
    loop {
        sleep(RETRY).await;
        match open(config).await {
            Ok(opened) => return opened,
            Err(error) if error.to_string() == told.0 && told.1.elapsed() < REPEAT_LOG => {}
            Err(error) => {
                tell(&error, health).await;
                told = (error.to_string(), Instant::now());
            }
        }
    }
}

/// Three failures in a row take the service out, one success brings it back: a single slow answer is not worth a failover.
async fn watch_over(store: &Store, ledger: &Ledger, health: &Health) {
    let mut probes = interval(PROBE);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0;
    loop {
        probes.tick().await;
        let Pool { used, idle, max } = store.pool();
        metrics::get().connections(used, idle, max);
        match sign_of_life(store, ledger).await {
            Ok(()) => {
                if failures >= LOST_AFTER {
                    tracing::info!("the database answers again");
                    health.tell(Ok(())).await;
                }
                failures = 0;
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(failures, error = &error as &dyn std::error::Error, "the database does not answer");
                if failures == LOST_AFTER {
                    health.tell(Err(NO_DATABASE)).await;
                }
            }
        }
    }
}

/// The database answers, and the log can be followed: one may be stuck while the other is not.
async fn sign_of_life(store: &Store, ledger: &Ledger) -> Result<(), store::Error> {
    store.probe().await?;
    if ledger.silence() > MAX_SILENCE { Err(store::Error::TimedOut) } else { Ok(()) }
}
