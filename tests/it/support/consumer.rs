//! A consumer within the test, with a table in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::{Client as Broker, HeaderMap, jetstream};
use ownership_client::{
    Applied, Client, Consumer, ConsumerOptions, Counts, Handler, Options, ParkingFile, Position, Start, StartOver,
    Step, Transport,
};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fold::owners_and_last;
use super::nats::Nats;
use super::stream::{STREAM, complete};
use super::{Account, ChangeKind, Setup, World, eventually, one_replica};

/// A lead that a squeamish handler cannot take in.
pub const INDIGESTIBLE: &str = "INDIGESTIBLE";

/// A table in memory.
#[derive(Clone, Default)]
pub struct Table {
    pub accounts: Arc<Mutex<BTreeMap<String, Kept>>>,
    pub troubles: Arc<Mutex<Troubles>>,
}

/// What is wrong with a table.
#[derive(Default)]
pub struct Troubles {
    /// Whether it fails with some changes.
    pub squeamish: bool,
    /// How often it cannot be read.
    pub unreadable: u32,
    /// How often it cannot be written to.
    pub locked: u32,
    /// An account whose next step takes so long.
    pub slow: Option<(String, Duration)>,
}

/// What a table says that cannot be written to.
const LOCKED: &str = "it is locked";

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
        once_less(&mut self.troubles.lock().unreadable, "it is not there")?;
        Ok(self.accounts.lock().get(account_id).map(|kept| kept.position.clone()))
    }

    async fn begin(&self, start: &Start) -> Result<Applied, String> {
        once_less(&mut self.troubles.lock().locked, LOCKED)?;
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
        let slow = self.troubles.lock().slow.take_if(|(account, _)| *account == step.account_id);
        if let Some((_, pause)) = slow {
            tokio::time::sleep(pause).await;
        }
        once_less(&mut self.troubles.lock().locked, LOCKED)?;
        if self.troubles.lock().squeamish && step.changes.iter().any(|change| change.lead_id == INDIGESTIBLE) {
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

    fn is_away(&self, error: &String) -> bool {
        error == LOCKED
    }
}

/// Fails, so many times.
fn once_less(times: &mut u32, error: &str) -> Result<(), String> {
    match times.checked_sub(1) {
        Some(left) => {
            *times = left;
            Err(error.to_owned())
        }
        None => Ok(()),
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
        self.consume_through(client, broker, options)
    }

    /// The same with a token for the service.
    pub async fn consume_as(&self, token: String, world: &World, options: ConsumerOptions) -> Running {
        let transport = Transport { identity: Some(Arc::new(token)), ..Transport::default() };
        let client = Client::open([world.url(0)], Options { transport, ..Options::default() }).await.unwrap();
        self.consume_through(client, self.nats.client().await, options)
    }

    fn consume_through(&self, client: Client, broker: Broker, options: ConsumerOptions) -> Running {
        let parking = ParkingFile(self.directory.path().join("parked"));
        let context = jetstream::new(broker);
        let consumer = Arc::new(Consumer::new(client, context, self.table.clone(), parking, options).unwrap());
        let stop = CancellationToken::new();
        let (running, stopped) = (Arc::clone(&consumer), stop.clone());
        let task = tokio::spawn(async move { running.run(stopped.cancelled()).await });
        Running { consumer, stop, task }
    }

    /// Gives a lead to `anna` and `ben` in turn, in events of their own; says how many events there are in all.
    pub async fn change_one_by_one(&self, world: &World, account: &Account, times: usize) -> usize {
        let mut events = 0;
        for time in 0..times {
            account.assign("L1", ["anna", "ben"][time % 2]).ok().await;
            events = complete(world, &self.nats).await.len();
        }
        events
    }

    /// How many messages a consumer has that the broker waits for a word about.
    pub async fn under_way(&self) -> Option<usize> {
        let stream = self.nats.jetstream().await.get_stream(STREAM).await.ok()?;
        let consumer = stream.get_consumer::<pull::Config>(&options().name).await.ok()?;
        Some(consumer.cached_info().num_ack_pending)
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
