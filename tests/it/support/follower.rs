//! The consumers of `examples/` as processes, each with a database of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use async_nats::jetstream::consumer::{PullConsumer, pull};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};
use sqlx::{ConnectOptions, Row};
use tempfile::TempDir;

use super::fold::owners_and_last;
use super::nats::Nats;
use super::sources::repository;
use super::stream::STREAM;
use super::{Account, World, eventually};

/// Which consumer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Campaign,
    Notification,
    Python,
}

impl Kind {
    /// The name of its durable consumer.
    fn name(self) -> &'static str {
        match self {
            Self::Campaign => "campaign",
            Self::Notification => "notification",
            Self::Python => "owners",
        }
    }

    fn command(self, server: &str, nats: &str, directory: &Path) -> Command {
        let database = directory.join("database");
        let mut command = match self {
            Self::Campaign => example("campaign"),
            Self::Notification => example("notification"),
            Self::Python => Command::new(repository().join("tests/python/run.sh")),
        };
        match self {
            Self::Campaign => command.args(["follow", "--server", server, "--ack-wait", "1s"]),
            Self::Notification => command.args(["--server", server, "--ack-wait", "1s"]).arg("--outbox").arg("outbox"),
            Self::Python => {
                let server = server.trim_start_matches("http://");
                command.arg("examples/python/owners.py").args(["--server", server, "--ack-wait", "1"])
            }
        };
        command.arg("--database").arg(database).args(["--nats", nats]).current_dir(directory).stdin(Stdio::null());
        command
    }
}

/// An example of the repository. `cargo test` builds them all, `cargo test --test it` does not.
pub fn example(name: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_ownership")).with_file_name("examples").join(name);
    assert!(program.exists(), "{} is missing: run `cargo build --examples` first", program.display());
    Command::new(program)
}

/// A consumer. Killed when dropped; what it logged is shown when the test fails.
pub struct Follower {
    kind: Kind,
    server: String,
    nats: String,
    login: Vec<String>,
    directory: TempDir,
    child: Child,
}

impl Follower {
    /// Starts one that follows all accounts.
    pub fn start(kind: Kind, server: &str, nats: &str) -> Self {
        Self::start_as(kind, server, nats, &[])
    }

    /// The same, with arguments by which the broker lets it in.
    pub fn start_as(kind: Kind, server: &str, nats: &str, login: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let (server, nats) = (server.to_owned(), nats.to_owned());
        let login: Vec<_> = login.iter().map(|&argument| argument.to_owned()).collect();
        let child = spawn(kind.command(&server, &nats, directory.path()).args(&login), directory.path());
        Self { kind, server, nats, login, directory, child }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it anew over what it has kept.
    pub fn restart(&mut self) {
        let mut command = self.kind.command(&self.server, &self.nats, self.directory.path());
        self.child = spawn(command.args(&self.login), self.directory.path());
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its database; absent before it has made one.
    async fn database(&self) -> Option<SqlitePool> {
        let file = self.file("database");
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(file).read_only(true)).await.ok()
    }

    /// Keeps everybody else from writing to its database, until the connection is dropped.
    pub async fn lock(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.file("database"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query("begin immediate").execute(&mut connection).await.unwrap();
        connection
    }

    /// Who owns what in its table, and how far it has come; nothing before it has a table.
    async fn owners(&self, account: &str) -> Option<(BTreeMap<String, Option<String>>, i64)> {
        let database = self.database().await?;
        let read = sqlx::query("select revision from position where account_id = ?").bind(account.to_owned());
        let revision = read.fetch_one(&database).await.ok()?.get(0);
        let read = sqlx::query("select lead_id, owner_id from owner where account_id = ?").bind(account.to_owned());
        let rows = read.fetch_all(&database).await.ok()?;
        Some((rows.iter().map(|row| (row.get(0), row.get(1))).collect(), revision))
    }

    /// Waits until its table is what the log says.
    pub async fn has_all_of(&self, world: &World, account: &Account) {
        let rows = world.tables().await.0.remove(&account.id).unwrap();
        let (expected, last) = owners_and_last(&rows);
        let same = async || {
            let (owners, revision) = self.owners(&account.id).await?;
            (owners == expected && revision >= last).then_some(())
        };
        eventually("the table is what the log says", same).await;
    }

    /// How many messages it has put away.
    pub async fn parked(&self) -> usize {
        if self.kind != Kind::Python {
            return std::fs::read_to_string(self.file("parked.jsonl")).unwrap_or_default().lines().count();
        }
        let database = self.database().await.unwrap();
        let count: i64 = sqlx::query("select count(*) from parked").fetch_one(&database).await.unwrap().get(0);
        count as usize
    }

    /// How many messages it has taken and not acknowledged, as far as the broker knows.
    pub async fn unacknowledged(&self, nats: &Nats) -> usize {
        let stream = nats.jetstream().await.get_stream(STREAM).await.unwrap();
        let consumer: PullConsumer = stream.get_consumer::<pull::Config>(self.kind.name()).await.unwrap();
        let info = consumer.cached_info();
        info.num_ack_pending + info.num_pending as usize
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {:?}\n{}", self.kind, self.log());
        }
    }
}

fn spawn(command: &mut Command, directory: &Path) -> Child {
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// Runs a verb of the campaign service over the database of a consumer.
pub fn campaign(follower: &Follower, arguments: &[&str]) -> Output {
    let mut command = example("campaign");
    command.args(arguments).arg("--database").arg(follower.file("database")).stdin(Stdio::null());
    command.output().unwrap()
}
