//! Everything that SQLite and Postgres do differently.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    AccessMode, ConnectOptions, DatabaseConnection, DbBackend, IsolationLevel, SqliteTransactionMode, Statement,
    TransactionOptions,
};

use super::Error;

/// Longest wait for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for another writer of the same SQLite file, or for a lock of Postgres.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest run of a statement on Postgres.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections are tested before use only after this time: a test for each use would cost a round trip each.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(30);

/// The connections of a database, and what makes sure that nobody else uses it where nobody else may.
pub(super) struct Connections {
    /// Takes write transactions.
    pub(super) writer: DatabaseConnection,
    /// Takes everything else. The same as the writer on Postgres.
    pub(super) reader: DatabaseConnection,
    /// Held as long as the service runs. Only on SQLite.
    pub(super) lock: Option<File>,
}

/// Connects to `sqlite:PATH` or `postgres://...`.
pub(super) async fn connect(url: &str, max_connections: u32) -> Result<Connections, Error> {
    if url.starts_with("sqlite:") {
        connect_sqlite(url, max_connections).await
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        connect_postgres(url, max_connections).await
    } else {
        Err(Error::UnsupportedUrl)
    }
}

/// SQLite has one writer at a time anyway. A pool of one queues writers fairly, where several connections would poll.
async fn connect_sqlite(url: &str, max_connections: u32) -> Result<Connections, Error> {
    let path = SqliteConnectOptions::from_str(url).map_err(|_| Error::UnsupportedUrl)?.get_filename().to_path_buf();
    let lock = lock_file(path)?;
    let open = |connections: u32, read_only: bool| {
        let mut options = common(url, connections);
        options.map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .create_if_missing(!read_only)
                .read_only(read_only)
                .journal_mode(SqliteJournalMode::Wal)
                // An acknowledged change survives a power cut.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(LOCK_TIMEOUT)
        });
        options
    };
    // The writer first: it creates the file and its log.
    let writer = sea_orm::Database::connect(open(1, false)).await?;
    let reader = sea_orm::Database::connect(open(max_connections, true)).await?;
    Ok(Connections { writer, reader, lock: Some(lock) })
}

/// Refuses a second process: each would take its own memory for the truth.
fn lock_file(database: PathBuf) -> Result<File, Error> {
    let path = format!("{}.lock", database.display());
    let cannot = |source| Error::Lock { path: path.clone(), source };
    let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: database.display().to_string() }),
        Err(TryLockError::Error(source)) => Err(cannot(source)),
    }
}

async fn connect_postgres(url: &str, max_connections: u32) -> Result<Connections, Error> {
    let mut options = common(url, max_connections);
    options.set_application_name("ownership").map_sqlx_postgres_opts(|postgres| {
        let millis = |timeout: Duration| timeout.as_millis().to_string();
        postgres.options([
            ("lock_timeout", millis(LOCK_TIMEOUT)),
            ("statement_timeout", millis(STATEMENT_TIMEOUT)),
            ("idle_in_transaction_session_timeout", millis(LOCK_TIMEOUT * 2)),
            // Promised whatever the server's default is: what was answered survives its crash.
            ("synchronous_commit", "on".to_owned()),
        ])
    });
    let connection = sea_orm::Database::connect(options).await?;
    Ok(Connections { writer: connection.clone(), reader: connection, lock: None })
}

fn common(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire_if_idle_for(TEST_AFTER_IDLE)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

/// How a write transaction begins. On SQLite it takes the write lock at once: one that reads first and writes later fails when
/// somebody else wrote in between. On Postgres READ COMMITTED, so that what follows the lock of the head sees what it waited for.
pub(super) fn for_writing(backend: DbBackend) -> TransactionOptions {
    match backend {
        DbBackend::Sqlite => TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        },
        _ => TransactionOptions {
            isolation_level: Some(IsolationLevel::ReadCommitted),
            access_mode: Some(AccessMode::ReadWrite),
            ..TransactionOptions::default()
        },
    }
}

/// How a transaction begins in which everything is read as of one moment.
pub(super) fn for_snapshot(backend: DbBackend) -> TransactionOptions {
    match backend {
        DbBackend::Sqlite => TransactionOptions::default(),
        _ => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        },
    }
}

/// Reads the clock of the database.
pub(super) fn clock(backend: DbBackend) -> Statement {
    Statement::from_string(backend, format!("SELECT {} AS clock", clock_expression(backend)))
}

fn clock_expression(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
        _ => "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    }
}

/// Locks the head of an account until the end of the transaction, and reads it and the clock. Nothing, if the account has none.
///
/// `NO KEY`: writers exclude each other and nobody else. SQLite writers exclude each other by beginning.
pub(super) fn lock_head(backend: DbBackend, account: &str) -> Statement {
    let select = format!(
        "SELECT revision, changed_at, facts_floor, history_floor, {} AS clock FROM account_head WHERE account_id = ",
        clock_expression(backend)
    );
    let sql = match backend {
        DbBackend::Sqlite => format!("{select}?"),
        _ => format!("{select}$1 FOR NO KEY UPDATE"),
    };
    Statement::from_sql_and_values(backend, sql, [account.into()])
}

/// How many parameters a statement may have, with some room left for those of its conflict clause.
pub(super) fn max_parameters(backend: DbBackend) -> usize {
    match backend {
        DbBackend::Sqlite => 32_000,
        _ => 65_000,
    }
}
