//! Whether the service can answer: health says so, and calls are answered from when it can.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ownership_proto::v1::account_service_server::SERVICE_NAME as ACCOUNTS;
use ownership_proto::v1::lead_service_server::SERVICE_NAME as LEADS;
use ownership_proto::v1::member_service_server::SERVICE_NAME as MEMBERS;
use ownership_proto::v1::ownership_service_server::SERVICE_NAME as OWNERSHIP;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::publishing;
use crate::config::Config;
use crate::ledger::{self, Ledger, Retention};
use crate::publish::Publisher;
use crate::rpc::{Backend, Rpc};
use crate::store::{self, Store};
use crate::watch::{self, Watches};

/// What health is asked about: the server as a whole, and each service.
const NAMES: [&str; 5] = ["", OWNERSHIP, LEADS, MEMBERS, ACCOUNTS];

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

/// A service on its way to being ready.
pub(super) struct Readiness {
    service: Service,
}

/// What becomes ready.
#[derive(Clone)]
struct Service {
    rpc: Rpc,
    health: HealthReporter,
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
    pub(super) async fn new(rpc: Rpc, health: HealthReporter) -> Self {
        // A reporter begins by claiming to serve.
        report(&health, ServingStatus::NotServing).await;
        Self { service: Service { rpc, health, publisher: Arc::default() } }
    }

    /// Tries to get ready. Where a failure may pass by itself, the attempt is repeated in the background for as long as it takes.
    pub(super) async fn open(self, config: &Config) -> Result<Kept, NotReady> {
        let Self { service } = self;
        let first = match open(config).await {
            Ok(opened) => Some(opened),
            Err(error) if may_pass(&error, config) => {
                tell(&error);
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
        report(&self.health, ServingStatus::Serving).await;
    }
}

impl Kept {
    /// Tells everybody that the end is near: health, and those who watch.
    pub(super) async fn drain(&mut self) {
        self.keeper.shutdown().await;
        report(&self.service.health, ServingStatus::NotServing).await;
        self.service.rpc.drain();
    }

    /// Lets go of who watches health: their streams would keep connections open for ever.
    pub(super) async fn let_go(&mut self) {
        for name in NAMES {
            self.service.health.clear_service_status(name).await;
        }
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

async fn report(health: &HealthReporter, status: ServingStatus) {
    for name in NAMES {
        health.set_service_status(name, status).await;
    }
}

/// On SQLite the database is a file of ours: what is wrong with it stays wrong until somebody does something.
fn may_pass(error: &NotReady, config: &Config) -> bool {
    !config.database.url.is_sqlite() || matches!(error, NotReady::Pending(_))
}

fn tell(error: &NotReady) {
    tracing::warn!(error = error as &dyn std::error::Error, "not ready; trying again");
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

/// Gets ready, and then says when the service no longer is, and when it is again.
async fn keep(config: Config, service: Service, first: Option<(Store, Backend)>) {
    let (store, backend) = match first {
        Some(opened) => opened,
        None => {
            let (store, backend) = opened(&config).await;
            service.serve(&config, &backend).await;
            tracing::info!("ready");
            (store, backend)
        }
    };
    watch_over(&store, &backend.ledger, &service.health).await;
}

/// Tries until it succeeds. The same reason is not logged again and again.
async fn opened(config: &Config) -> (Store, Backend) {
    let mut told = (String::new(), Instant::now());
    loop {
        sleep(RETRY).await;
        match open(config).await {
            Ok(opened) => return opened,
            Err(error) if error.to_string() == told.0 && told.1.elapsed() < REPEAT_LOG => {}
            Err(error) => {
                tell(&error);
                told = (error.to_string(), Instant::now());
            }
        }
    }
}

/// Three failures in a row take the service out, one success brings it back: a single slow answer is not worth a failover.
async fn watch_over(store: &Store, ledger: &Ledger, health: &HealthReporter) {
    let mut probes = interval(PROBE);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0;
    loop {
        probes.tick().await;
        match sign_of_life(store, ledger).await {
            Ok(()) => {
                if failures >= LOST_AFTER {
                    tracing::info!("the database answers again");
                    report(health, ServingStatus::Serving).await;
                }
                failures = 0;
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(failures, error = &error as &dyn std::error::Error, "the database does not answer");
                if failures == LOST_AFTER {
                    report(health, ServingStatus::NotServing).await;
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
