//! What the examples share: how they reach the service and the broker, and where they keep how far they have come.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::ConnectOptions;
use ownership_client::{Client, Consumer, ConsumerOptions, Handler, Options, ParkingFile, Position};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{Row, SqliteConnection};

/// Where the service and the broker are, and what to follow.
#[derive(clap::Args, Debug)]
pub struct Follow {
    /// The service; several addresses are taken in turn
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50051")]
    server: Vec<String>,
    /// The broker that the service publishes to: `nats://HOST:PORT`, or `tls://HOST:PORT` where the connection must be encrypted
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222", help_heading = "Broker")]
    nats: String,
    /// What lets this program in there
    #[command(flatten)]
    login: Login,
    /// Only these accounts
    #[arg(long, value_name = "ID")]
    account: Vec<String>,
    /// Where events are put that cannot be taken in, a line of JSON each
    #[arg(long, value_name = "FILE", default_value = "parked.jsonl")]
    parked: PathBuf,
    /// How long the broker waits before it delivers a message again
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    ack_wait: std::time::Duration,
}

/// Who a program is at the broker, and what it checks the broker against.
#[derive(clap::Args, Debug)]
struct Login {
    /// User to log in as
    #[arg(long, value_name = "NAME", requires = "nats_password_file", help_heading = "Broker")]
    nats_user: Option<String>,
    /// File with the password of the user
    #[arg(long, value_name = "FILE", requires = "nats_user", help_heading = "Broker")]
    nats_password_file: Option<PathBuf>,
    /// File with a JWT and a key to log in with, as NATS tools write it; instead of user and password
    #[arg(long, value_name = "FILE", conflicts_with = "nats_user", help_heading = "Broker")]
    nats_credentials_file: Option<PathBuf>,
    /// File with the certificates that the broker's own is checked against, in PEM; otherwise those that the system trusts
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    nats_ca_file: Option<PathBuf>,
    /// File with the certificate to show to the broker, in PEM
    #[arg(long, value_name = "FILE", requires = "nats_client_key_file", help_heading = "Broker")]
    nats_client_certificate_file: Option<PathBuf>,
    /// File with the key of that certificate
    #[arg(long, value_name = "FILE", requires = "nats_client_certificate_file", help_heading = "Broker")]
    nats_client_key_file: Option<PathBuf>,
}

impl Login {
    /// How to connect.
    async fn options(self) -> Result<ConnectOptions> {
        let mut options = ConnectOptions::new();
        if let (Some(user), Some(file)) = (self.nats_user, self.nats_password_file) {
            let password = tokio::fs::read_to_string(&file).await.with_context(|| unreadable(&file))?;
            options = options.user_and_password(user, password.trim_end().to_owned());
        }
        if let Some(file) = self.nats_credentials_file {
            options = options.credentials_file(&file).await.with_context(|| unreadable(&file))?;
        }
        if let Some(file) = self.nats_ca_file {
            options = options.add_root_certificates(file);
        }
        if let (Some(certificate), Some(key)) = (self.nats_client_certificate_file, self.nats_client_key_file) {
            options = options.add_client_certificate(certificate, key);
        }
        Ok(options)
    }
}

fn unreadable(file: &Path) -> String {
    format!("{} cannot be read", file.display())
}

impl Follow {
    /// Follows the events until the program is asked to end.
    pub async fn run(self, name: &str, handler: impl Handler) -> Result<()> {
        let Self { server, nats, login, account, parked, ack_wait } = self;
        let client = Client::open(server, Options::default()).await?;
        let broker = login.options().await?.name(name).retry_on_initial_connect().connect(nats).await?;
        let context = async_nats::jetstream::new(broker);
        let options = ConsumerOptions { accounts: account.clone(), ack_wait, ..ConsumerOptions::named(name) };
        let consumer = Consumer::new(client, context, handler, ParkingFile(parked), options)?;
        // Accounts that are named are brought up to date at once; the others with their first event.
        for account in &account {
            consumer.catch_up(account).await.map_err(anyhow::Error::from_boxed)?;
        }
        let ended = async { drop(tokio::signal::ctrl_c().await) };
        consumer.run(ended).await;
        Ok(())
    }
}

/// The result code of SQLite, without what extends it.
const SQLITE_BUSY: u32 = 5;
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the database of a consumer, in which `tables` are created if they are missing.
pub async fn open(file: &PathBuf, tables: &'static str) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let connect = async || SqlitePoolOptions::new().max_connections(4).connect_with(options.clone()).await;
    let mut pool = connect().await;
    for _ in 0..ATTEMPTS {
        // The one thing for which SQLite waits for nobody: making the log of a database that somebody else opens for the first time too.
        let Err(sqlx::Error::Database(error)) = &pool else { break };
        if !error.code().is_some_and(|code| code.parse::<u32>().is_ok_and(|code| code & 0xff == SQLITE_BUSY)) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        pool = connect().await;
    }
    let pool = pool.with_context(|| format!("{} cannot be opened", file.display()))?;
    let positions = "create table if not exists position (account_id text primary key, history_id text not null,
        revision integer not null) strict, without rowid";
    sqlx::raw_sql(positions).execute(&pool).await?;
    sqlx::raw_sql(tables).execute(&pool).await?;
    Ok(pool)
}

/// How far an account was followed.
pub async fn position(pool: &SqlitePool, account_id: &str) -> Result<Option<Position>> {
    let row = sqlx::query("select history_id, revision from position where account_id = ?").bind(account_id);
    let row = row.fetch_optional(pool).await?;
    Ok(row.map(|row| Position { history_id: row.get(0), revision: row.get(1) }))
}

/// Whether the database is kept by somebody else, full, or not to be had: what could not be done has nothing to do with it.
pub fn is_away(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
        Some(sqlx::Error::Database(error)) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            // BUSY, IOERR, FULL and CANTOPEN; what stands in the higher bits is more exact.
            code.is_some_and(|code| matches!(code & 0xff, 5 | 10 | 13 | 14))
        }
        _ => false,
    }
}

/// Moves the position of an account, if it still is where it was taken to be. Comes first in its transaction.
pub async fn advance(
    tables: &mut SqliteConnection,
    account_id: &str,
    from: Option<&Position>,
    to: &Position,
) -> Result<bool> {
    let first = "insert into position (history_id, revision, account_id) values (?, ?, ?) on conflict do nothing";
    let next = "update position set history_id = ?, revision = ?
        where account_id = ? and history_id = ? and revision = ?";
    let advance = sqlx::query(if from.is_none() { first } else { next });
    let mut advance = advance.bind(&to.history_id).bind(to.revision).bind(account_id);
    if let Some(from) = from {
        advance = advance.bind(&from.history_id).bind(from.revision);
    }
    Ok(advance.execute(tables).await?.rows_affected() == 1)
}

/// Says what happens, on the error output.
pub fn log() {
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_max_level(tracing::Level::INFO)
        .init();
}
