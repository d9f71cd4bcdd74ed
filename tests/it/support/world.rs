//! A database, the servers over it, and the check that follows every test.

use std::collections::BTreeMap;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::block_in_place;
use tonic::transport::ClientTlsConfig;

use super::server::{previous_program, program, run, variable};
use super::store::{Database, Sql, Store, store};
use super::{Account, Channel, Server, Way, tables::Tables, verify, with};

/// How long a replica may take to drain when nothing keeps it: far less than it is given.
const DRAIN: Duration = Duration::from_secs(10);

/// What a world is made of.
#[derive(Default)]
pub struct Setup {
    replicas: usize,
    settings: BTreeMap<String, String>,
    way: Way,
}

/// Runs a test against one replica, then checks every account.
pub async fn check(body: impl AsyncFnOnce(&mut World)) {
    one_replica().check(body).await;
}

/// One server.
pub fn one_replica() -> Setup {
    Setup { replicas: 1, ..Setup::default() }
}

/// Two servers over one database; on SQLite, which has only ever one, one that answers for both.
pub fn two_replicas() -> Setup {
    replicas(2)
}

/// Three of them; on SQLite one.
pub fn three_replicas() -> Setup {
    replicas(3)
}

fn replicas(count: usize) -> Setup {
    Setup { replicas: if store() == Store::Postgres { count } else { 1 }, ..Setup::default() }
}

impl Setup {
    /// Starts the servers with this configuration key.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.insert(key.to_owned(), value.to_string());
        self
    }

    /// Calls with this token.
    pub fn called_with(mut self, token: &str) -> Self {
        self.way.token = Some(token.to_owned());
        self
    }

    /// Calls over encrypted connections.
    pub fn called_over(mut self, tls: ClientTlsConfig) -> Self {
        self.way.tls = Some(tls);
        self
    }

    /// A world that nobody checks afterwards.
    pub fn start(self) -> World {
        self.start_over(Database::migrated())
    }

    /// As `start`, over a database that is there already.
    pub fn start_over(self, database: Database) -> World {
        let mut settings = BTreeMap::from([
            ("server.listen".to_owned(), "127.0.0.1:0".to_owned()),
            ("admin.listen".to_owned(), "127.0.0.1:0".to_owned()),
            ("database.url".to_owned(), database.url()),
            ("watch.poll_interval".to_owned(), "50ms".to_owned()),
        ]);
        if let Ok(batch) = std::env::var("OWNERSHIP_TEST_MAX_BATCH") {
            settings.insert("door.max_batch".to_owned(), batch);
        }
        settings.extend(self.settings);
        let logs = TempDir::new().unwrap();
        let replicas = (0..self.replicas).map(|_| Server::start(&settings, logs.path())).collect();
        World { replicas, way: self.way, database, settings, logs }
    }

    /// Runs a test, then checks every account.
    pub async fn check(self, body: impl AsyncFnOnce(&mut World)) {
        let mut world = self.start();
        body(&mut world).await;
        world.verify().await;
    }
}

/// Servers over one database. The fields are dropped in this order: first the servers, then what they stand on.
pub struct World {
    pub replicas: Vec<Server>,
    /// How the test itself calls.
    pub way: Way,
    pub database: Database,
    settings: BTreeMap<String, String>,
    logs: TempDir,
}

impl World {
    /// A new account, called through the first replica.
    pub fn account(&self) -> Account {
        self.account_named(&format!("acc-{}", uuid::Uuid::new_v4().simple()))
    }

    /// The account of this name, called through the first replica.
    pub fn account_named(&self, id: &str) -> Account {
        Account::new(id, self.channel(0))
    }

    /// A connection of its own to a replica; where there is only one, to that.
    pub fn channel(&self, replica: usize) -> Channel {
        self.way.to(self.url(replica))
    }

    /// Where a replica accepts calls.
    pub fn url(&self, replica: usize) -> &str {
        self.replicas[replica % self.replicas.len()].url()
    }

    /// Configures what starts from now on.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        self.settings.insert(key.to_owned(), value.to_string());
    }

    /// Has the only replica come back at the address that it has now.
    pub fn stay(&mut self) {
        let address = self.url(0).trim_start_matches("http://").to_owned();
        self.set("server.listen", address);
    }

    /// Starts a replica in the place of one, which is killed if it still runs.
    pub fn restart(&mut self, replica: usize) {
        let index = replica % self.replicas.len();
        if self.replicas[index].is_running() {
            self.replicas[index].kill();
        }
        self.replicas[index] = Server::start(&self.settings, self.logs.path());
    }

    /// Has a replica drain, and starts another one at the same address, as a rollout does. How it ended, if it did so in time.
    pub async fn roll(&mut self, replica: usize, program: Command) -> Option<ExitStatus> {
        let server = &mut self.replicas[replica];
        let address = server.url().trim_start_matches("http://").to_owned();
        server.terminate();
        let status = server.ended(DRAIN).await?;
        let settings = with(self.settings.clone(), |settings| settings.extend([("server.listen".to_owned(), address)]));
        *server = block_in_place(|| Server::start_program(program, &settings, self.logs.path()));
        Some(status)
    }

    /// Starts a replica of the release before.
    pub fn add_previous(&mut self) {
        self.replicas.push(Server::start_program(previous_program(), &self.settings, self.logs.path()));
    }

    /// Tries to start one more server over the same database.
    pub fn start_another(&self) -> Result<Server, String> {
        Server::try_start(program(), &self.settings, self.logs.path())
    }

    /// Runs the program to its end, configured as what starts from now on.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let environment: Vec<_> = self.settings.iter().map(|(key, value)| (variable(key), value)).collect();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(arguments, &environment)
    }

    /// A way into the database beside the service.
    pub async fn sql(&self) -> Sql {
        self.database.open().await
    }

    /// What is in the tables.
    pub async fn tables(&self) -> Tables {
        Tables::read(&self.sql().await).await
    }

    /// What contradicts itself in the database and the answers of the replicas that run: account, complaint.
    pub async fn complaints(&mut self) -> Vec<(String, String)> {
        let mut running: Vec<_> = (0..self.replicas.len()).filter(|index| self.replicas[*index].is_running()).collect();
        if running.is_empty() {
            self.restart(0);
            running.push(0);
        }
        let channels: Vec<_> = running.into_iter().map(|replica| self.channel(replica)).collect();
        verify::complaints(&self.tables().await, &channels).await
    }

    /// As `verify`, of some accounts only: where there is much, asking for everything of all takes longer than a test may.
    pub async fn verify_of(&mut self, accounts: &[Account]) {
        let mut tables = self.tables().await;
        tables.0.retain(|id, _| accounts.iter().any(|account| account.id == *id));
        let complaints = verify::complaints(&tables, &[self.channel(0)]).await;
        assert!(complaints.is_empty(), "log, tables and answers disagree: {complaints:#?}");
    }

    /// Fails unless log, tables and answers agree.
    pub async fn verify(&mut self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "log, tables and answers disagree: {complaints:#?}");
    }
}
