//! What all measurements share: the databases and how to start servers over them.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tempfile::TempDir;

use super::data;
use super::measurements::get;
use super::process::Process;
use super::profile::Profile;

/// Connections for bare statements: as many as pgbench was found to be quickest with.
const CONNECTIONS: u32 = 16;

/// The databases that the service runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Postgres,
    Sqlite,
}

/// The databases, filled, and the programs that use them.
pub struct World {
    pub profile: Profile,
    /// Beside the service, on the same Postgres database.
    pub pool: PgPool,
    pub postgres: String,
    pub pgbench: PathBuf,
    pub scratch: TempDir,
}

impl World {
    /// Creates and fills the databases. `OWNERSHIP_BENCH_POSTGRES` names a server, `OWNERSHIP_BENCH_PGBENCH` the program.
    pub async fn create(profile: Profile) -> Result<Self> {
        let server = std::env::var("OWNERSHIP_BENCH_POSTGRES").context("benches/run starts this with a Postgres")?;
        let pgbench = std::env::var_os("OWNERSHIP_BENCH_PGBENCH").unwrap_or_else(|| "pgbench".into()).into();
        let name = format!("bench_{}", std::process::id());
        let admin = PgPool::connect(&server).await?;
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&admin).await?;
        let (base, _) = server.rsplit_once('/').context("a Postgres URL ends with the name of a database")?;
        let postgres = format!("{base}/{name}");
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_lazy(&postgres)?;
        let world = Self { profile, pool, postgres, pgbench, scratch: TempDir::new()? };
        world.fill().await?;
        Ok(world)
    }

    async fn fill(&self) -> Result<()> {
        for store in [Store::Postgres, Store::Sqlite] {
            let migration = self.program(store).arg("migrate").stdout(Stdio::null()).status()?;
            ensure!(migration.success(), "the migration failed");
            data::load(&self.serve(store, &[]).await?, &self.profile).await?;
        }
        data::index(&self.pool).await
    }

    fn program(&self, store: Store) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ownership"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OWNERSHIP_")) {
            command.env_remove(name);
        }
        let url = match store {
            Store::Postgres => self.postgres.clone(),
            Store::Sqlite => format!("sqlite:{}", self.scratch.path().join("ownership.db").display()),
        };
        command.env("OWNERSHIP__DATABASE__URL", url);
        command
    }

    /// Starts the service over a database, with settings that differ from the defaults.
    pub async fn serve(&self, store: Store, settings: &[(&str, &str)]) -> Result<Process> {
        let mut command = self.program(store);
        let common = [
            ("server.listen", "127.0.0.1:0"),
            ("telemetry.log", "warn"),
            ("memory.budget_bytes", "8000000000"),
            ("watch.per_caller", "2000"),
        ];
        for (key, value) in common.iter().chain(settings) {
            command.env(format!("OWNERSHIP__{}", key.to_uppercase().replace('.', "__")), value);
        }
        let log = File::options().create(true).append(true).open(self.scratch.path().join("service.log"))?;
        Process::start({
            command.arg("serve").stderr(log);
            command
        })
        .await
    }

    /// As `serve`, with all accounts in memory: what their loading takes belongs to no sample.
    pub async fn serve_loaded(&self, store: Store, settings: &[(&str, &str)]) -> Result<Process> {
        let service = self.serve(store, settings).await?;
        for account in 0..self.profile.accounts {
            get(service.channels[0].clone(), account, self.profile, None).await?;
        }
        Ok(service)
    }

    /// Starts the bare server, which knows nothing but tonic.
    pub async fn bare(&self) -> Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("echo");
        Process::start(command).await
    }
}
