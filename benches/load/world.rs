//! What all measurements share: the databases, filled when they are first asked for, and how to start servers over them.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::data::{Shape, account_id, lead_id};
use super::process::Process;
use super::profile::Profile;
use super::{fill, processor, wire};

/// Connections for bare statements that pgbench cannot send.
const CONNECTIONS: u32 = 8;

/// The databases that the service runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Store {
    Postgres,
    Sqlite,
}

/// One of the databases.
#[derive(Debug, Clone)]
pub struct Database {
    pub url: String,
    pub shape: Shape,
}

impl Database {
    /// Connections beside the service. Only to Postgres.
    pub fn pool(&self) -> Result<PgPool> {
        Ok(PgPoolOptions::new().max_connections(CONNECTIONS).connect_lazy(&self.url)?)
    }
}

/// What a database is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    /// The ten accounts.
    Many(Store),
    /// Ten small accounts.
    Published,
    /// One account of so many leads.
    One(usize),
}

/// The databases, and the programs that use them.
pub struct World {
    pub profile: Profile,
    server: String,
    /// Where the broker is.
    pub broker: String,
    /// Where the programs of Postgres are.
    postgres: PathBuf,
    scratch: TempDir,
    databases: Mutex<HashMap<Content, Database>>,
}

impl World {
    /// `OWNERSHIP_BENCH_POSTGRES` names a server, `OWNERSHIP_BENCH_POSTGRES_BIN` the directory of its programs, and
    /// `OWNERSHIP_BENCH_NATS` a broker.
    pub fn new(profile: Profile) -> Result<Self> {
        let server = std::env::var("OWNERSHIP_BENCH_POSTGRES").context("benches/run starts this with a Postgres")?;
        let postgres = std::env::var_os("OWNERSHIP_BENCH_POSTGRES_BIN").unwrap_or_default().into();
        let broker = std::env::var("OWNERSHIP_BENCH_NATS").context("benches/run starts this with a broker")?;
        Ok(Self { profile, server, broker, postgres, scratch: TempDir::new()?, databases: Mutex::default() })
    }

    /// The ten accounts.
    pub async fn many(&self, store: Store) -> Result<Database> {
        self.database(Content::Many(store)).await
    }

    /// Ten small accounts, all that happens to which is published.
    pub async fn published(&self) -> Result<Database> {
        self.database(Content::Published).await
    }

    /// One account of so many leads, alone in its database: whatever scans a table scans nothing else.
    pub async fn one(&self, leads: usize) -> Result<Database> {
        self.database(Content::One(leads)).await
    }

    /// The large account.
    pub async fn large(&self) -> Result<Database> {
        self.one(self.profile.large).await
    }

    /// Which Postgres it is.
    pub async fn postgres_version(&self) -> Result<String> {
        let pool = PgPool::connect(&self.server).await?;
        Ok(sqlx::query_scalar("show server_version").fetch_one(&pool).await?)
    }

    /// The process that has started all others of Postgres.
    pub async fn postmaster(&self) -> Result<u32> {
        let pool = PgPool::connect(&self.server).await?;
        let own: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&pool).await?;
        processor::parent(u32::try_from(own)?).context("Postgres runs elsewhere")
    }

    async fn database(&self, content: Content) -> Result<Database> {
        let mut databases = self.databases.lock().await;
        if let Some(database) = databases.get(&content) {
            return Ok(database.clone());
        }
        let database = self.create(content).await.with_context(|| format!("filling {content:?}"))?;
        databases.insert(content, database.clone());
        Ok(database)
    }

    async fn create(&self, content: Content) -> Result<Database> {
        let shape = match content {
            Content::Many(_) => self.profile.many,
            Content::Published => Shape { accounts: 10, leads: 1_000 },
            Content::One(leads) => Shape { accounts: 1, leads },
        };
        let url = match content {
            Content::Many(Store::Sqlite) => format!("sqlite:{}", self.scratch.path().join("ownership.db").display()),
            Content::Many(Store::Postgres) => self.create_on_postgres("many").await?,
            Content::Published => self.create_on_postgres("published").await?,
            Content::One(leads) => self.create_on_postgres(&format!("one_{leads}")).await?,
        };
        let database = Database { url, shape };
        let migration = program(&database).arg("migrate").stdout(Stdio::null()).status()?;
        ensure!(migration.success(), "the migration failed");
        let service = self.serve(&database, &[]).await?;
        match content {
            Content::Many(store) => {
                fill::by_calls(&service, shape).await?;
                if store == Store::Postgres {
                    fill::covering_index(&database.pool()?).await?;
                }
            }
            Content::Published => fill::by_calls(&service, shape).await?,
            Content::One(leads) => {
                let pool = database.pool()?;
                fill::by_statement(&service, &pool, leads).await?;
                if leads == self.profile.large {
                    fill::covering_index(&pool).await?;
                }
            }
        }
        Ok(database)
    }

    async fn create_on_postgres(&self, name: &str) -> Result<String> {
        let admin = PgPool::connect(&self.server).await?;
        let name = format!("bench_{}_{name}", std::process::id());
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&admin).await?;
        let (base, _) = self.server.rsplit_once('/').context("a Postgres URL ends with the name of a database")?;
        Ok(format!("{base}/{name}"))
    }

    /// Starts the service over a database, with settings that differ from the defaults.
    pub async fn serve(&self, database: &Database, settings: &[(&str, &str)]) -> Result<Arc<Process>> {
        let mut command = program(database);
        let common = [
            ("server.listen", "127.0.0.1:0"),
            ("admin.listen", "127.0.0.1:0"),
            ("server.default_deadline", "5min"),
            ("server.max_deadline", "5min"),
            ("telemetry.log", "warn"),
            ("memory.budget_bytes", "8000000000"),
            ("watch.per_caller", "2000"),
        ];
        for (key, value) in common.iter().chain(settings) {
            command.env(format!("OWNERSHIP__{}", key.to_uppercase().replace('.', "__")), value);
        }
        let log = File::options().create(true).append(true).open(self.scratch.path().join("service.log"))?;
        command.arg("serve").stderr(log);
        Ok(Arc::new(Process::start(command).await?))
    }

    /// As `serve`, with all accounts in memory: what their loading takes belongs to no sample.
    pub async fn serve_loaded(&self, database: &Database, settings: &[(&str, &str)]) -> Result<Arc<Process>> {
        let service = self.serve(database, settings).await?;
        for account in 0..database.shape.accounts {
            first_use(&service, account).await?;
        }
        Ok(service)
    }

    /// Starts the bare server, which knows nothing but tonic.
    pub async fn bare(&self, message: Option<&Path>) -> Result<Arc<Process>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").args(message);
        Ok(Arc::new(Process::start(command).await?))
    }

    /// A program of Postgres.
    pub fn postgres_program(&self, name: &str) -> Command {
        Command::new(self.postgres.join(name))
    }

    /// A place for a file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// Has an account loaded.
pub async fn first_use(service: &Process, account: usize) -> Result<()> {
    let request = ownership_proto::v1::GetOwnerRequest {
        account_id: account_id(account),
        lead_id: lead_id(0),
        ..Default::default()
    };
    wire::GET_OWNER.call(service.channel(), wire::encoded(&request)).await?;
    Ok(())
}

fn program(database: &Database) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ownership"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OWNERSHIP_")) {
        command.env_remove(name);
    }
    command.env("OWNERSHIP__DATABASE__URL", &database.url);
    command
}
