//! A consumer within the test, with a table in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client as Broker, HeaderMap, jetstream};
use ownership_client::{
    Applied, Client, Consumer, ConsumerOptions, Counts, Handler, Options, ParkingFile, Position, Start, StartOver, Step,
};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fold::owners_and_last;
use super::nats::Nats;
use super::{Account, ChangeKind, Setup, World, eventually, one_replica};

/// A lead that a squeamish handler cannot take in.
pub const INDIGESTIBLE: &str = "INDIGESTIBLE";

/// A table in memory.
#[derive(Clone, Default)]
pub struct Table {
    pub accounts: Arc<Mutex<BTreeMap<String, Kept>>>,
    /// Whether it fails with some changes.
    pub squeamish: Arc<Mutex<bool>>,
}

/// What is kept of an account.
#[derive(Clone, Debug)]
pub struct Kept {
    pub position: Position,
    owners: BTreeMap<String, Option<String>>,
    pub steps: Vec<Step>,
    pub begun: Vec<Option<StartOver>>,
}

impl Handler for Table {
    type Error = String;

    async fn position(&self, account_id: &str) -> Result<Option<Position>, String> {
        Ok(self.accounts.lock().get(account_id).map(|kept| kept.position.clone()))
    }

    async fn begin(&self, start: &Start) -> Result<Applied, String> {
        let mut accounts = self.accounts.lock();
        let before = accounts.get(&start.account_id);
        if before.map(|kept| &kept.position) != start.from.as_ref() {
            return Ok(Applied::Outrun);
        }
        let mut begun = before.map(|kept| kept.begun.clone()).unwrap_or_default();
        begun.push(start.why);
        let owners = start.leads.iter().map(|lead| (lead.lead_id.clone(), lead.owner_id.clone())).collect();
        let kept = Kept { position: start.to.clone(), owners, steps: Vec::new(), begun };
        accounts.insert(start.account_id.clone(), kept);
        Ok(Applied::Done)
    }

    async fn apply(&self, step: &Step) -> Result<Applied, String> {
        if *self.squeamish.lock() && step.changes.iter().any(|change| change.lead_id == INDIGESTIBLE) {
            return Err("it is too much".to_owned());
        }
        let mut accounts = self.accounts.lock();
        let kept = accounts.get_mut(&step.account_id).unwrap();
        if kept.position != step.from {
            return Ok(Applied::Outrun);
        }
        kept.position.clone_from(&step.to);
        for change in &step.changes {
            match change.kind() {
                ChangeKind::Forgotten => kept.owners.remove(&change.lead_id),
                _ => kept.owners.insert(change.lead_id.clone(), change.owner_id.clone()),
            };
        }
        kept.steps.push(step.clone());
        Ok(Applied::Done)
    }
}

impl Table {
    /// What is kept of an account.
    pub fn kept(&self, account: &Account) -> Option<Kept> {
        self.accounts.lock().get(&account.id).cloned()
    }

    /// Waits until an account is where the service is.
    pub async fn has_all_of(&self, world: &World, account: &Account) -> Kept {
        let rows = world.tables().await.0.remove(&account.id).unwrap();
        let (expected, last) = owners_and_last(&rows);
        let same = async || self.kept(account).filter(|kept| kept.owners == expected && kept.position.revision >= last);
        eventually("the table is what the log says", same).await
    }
}

/// A consumer that runs.
pub struct Running {
    pub consumer: Arc<Consumer<Table>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends it; says what it has done.
    pub async fn stop(self) -> Counts {
        self.stop.cancel();
        self.task.await.unwrap();
        self.consumer.counts()
    }
}

/// Options for tests, which have little time.
pub fn options() -> ConsumerOptions {
    let pause = Duration::from_millis(20);
    ConsumerOptions { ack_wait: Duration::from_secs(1), lanes: 2, attempts: 3, pause, ..ConsumerOptions::named("test") }
}

/// Everything that a test of the consumer stands on.
pub struct Scene {
    pub nats: Nats,
    directory: TempDir,
    pub table: Table,
}

impl Scene {
    /// A broker and an empty table.
    pub fn new() -> Self {
        Self::over(Nats::start())
    }

    /// The same over this broker.
    pub fn over(nats: Nats) -> Self {
        Self { nats, directory: TempDir::new().unwrap(), table: Table::default() }
    }

    /// A service that publishes.
    pub fn setup(&self) -> Setup {
        let setup = one_replica().set("events.url", self.nats.url());
        setup.set("events.poll_interval", "100ms").set("events.ack_timeout", "2s")
    }

    /// Starts to consume into the table.
    pub async fn consume(&self, world: &World, options: ConsumerOptions) -> Running {
        self.consume_over(self.nats.client().await, world, options).await
    }

    /// The same over a connection to the broker.
    pub async fn consume_over(&self, broker: Broker, world: &World, options: ConsumerOptions) -> Running {
        let client = Client::open([world.url(0)], Options::default()).await.unwrap();
        let parking = ParkingFile(self.directory.path().join("parked"));
        let context = jetstream::new(broker);
        let consumer = Arc::new(Consumer::new(client, context, self.table.clone(), parking, options).unwrap());
        let stop = CancellationToken::new();
        let (running, stopped) = (Arc::clone(&consumer), stop.clone());
        let task = tokio::spawn(async move { running.run(stopped.cancelled()).await });
        Running { consumer, stop, task }
    }

    /// What is wrong with each event that is parked.
    pub fn parked(&self) -> Vec<String> {
        let lines = std::fs::read_to_string(self.directory.path().join("parked")).unwrap_or_default();
        let fault = |line: &str| {
            let parked: serde_json::Value = serde_json::from_str(line).unwrap();
            parked["fault"].as_str().unwrap().to_owned()
        };
        lines.lines().map(fault).collect()
    }

    /// Publishes something under the subject of an account.
    pub async fn publish(&self, account: &Account, headers: HeaderMap, data: Vec<u8>) {
        let subject = format!("leadflip.ownership.v1.changes.{}", account.id);
        let jetstream = self.nats.jetstream().await;
        jetstream.publish_with_headers(subject, headers, data.into()).await.unwrap().await.unwrap();
    }
}
