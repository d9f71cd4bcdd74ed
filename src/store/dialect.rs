//! Everything that SQLite and Postgres do differently.

pub(super) mod ageing;
pub(super) mod outbox;

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sea_query::ArrayType;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    AccessMode, ConnectOptions, DatabaseConnection, DbBackend, IsolationLevel, SqliteTransactionMode, Statement,
    TransactionOptions, Value,
};

use super::Error;
use super::table::{Kind, Table};
use crate::domain::ids::AccountId;

/// Longest wait for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for another writer of the same SQLite file, or for a lock of Postgres.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest run of a statement on Postgres.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections are tested before use only after this time: a test for each use would cost a round trip each.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(30);

/// Memory of the writer for pages of a SQLite file, at most, as SQLite spells it: 16 MiB. What is written is mostly what was written
/// before.
const WRITER_CACHE: &str = "-16384";
/// The same of each reader. What is read is in memory already, but for what is read once.
const READER_CACHE: &str = "-1024";
/// Pages in the log of a SQLite file before they are copied into it: 32 MiB. Most changes touch pages that others touch too, and
/// the longer this waits, the fewer copies each of them costs.
const PAGES_BETWEEN_CHECKPOINTS: &str = "8192";

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
                .pragma("cache_size", if read_only { READER_CACHE } else { WRITER_CACHE })
                .pragma("wal_autocheckpoint", PAGES_BETWEEN_CHECKPOINTS)
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
            // What follows the lock of a head sees what it waited for. Said here, a transaction begins in one round trip.
            ("default_transaction_isolation", "read committed".to_owned()),
            ("default_transaction_read_only", "off".to_owned()),
            // Every statement goes by a key. Its plan is made once, with neither the values nor the size that the table has at that
            // moment: on a table that is still small, a scan of the whole would win, and be kept when the table has grown.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            ("enable_mergejoin", "off".to_owned()),
            ("jit", "off".to_owned()),
        ])
    });
    let connection = sea_orm::Database::connect(options).await?;
    Ok(Connections { writer: connection.clone(), reader: connection, lock: None })
}

/// Of a pool: how many connections are open, how many of those are idle, and how many there may be.
pub(super) fn pool(database: &DatabaseConnection) -> (u32, usize, u32) {
    if database.get_database_backend() == DbBackend::Sqlite {
        let pool = database.get_sqlite_connection_pool();
        (pool.size(), pool.num_idle(), pool.options().get_max_connections())
    } else {
        let pool = database.get_postgres_connection_pool();
        (pool.size(), pool.num_idle(), pool.options().get_max_connections())
    }
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
/// somebody else wrote in between. On Postgres as the connection says.
pub(super) fn for_writing(backend: DbBackend) -> TransactionOptions {
    match backend {
        DbBackend::Sqlite => TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        },
        _ => TransactionOptions::default(),
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

/// Locks the heads of accounts until the end of the transaction, and reads them and the clock. Those that are not there are left out,
/// and with `unless_taken` those that somebody else has locked.
///
/// `NO KEY`: writers exclude each other and nobody else. SQLite writers exclude each other by beginning.
pub(super) fn lock_heads(backend: DbBackend, accounts: &[&AccountId], unless_taken: bool) -> Statement {
    let clock = clock_expression(backend);
    let select = format!("SELECT account_id, revision, changed_at, facts_floor, history_floor, {clock} AS clock");
    let lock = match (backend, unless_taken) {
        (DbBackend::Sqlite, _) => "",
        (_, false) => " FOR NO KEY UPDATE",
        (_, true) => " FOR NO KEY UPDATE SKIP LOCKED",
    };
    of_heads(backend, &select, accounts.iter().map(|account| account.as_str()), lock)
}

/// Reads where the logs of some accounts end.
pub(super) fn tips<'a>(backend: DbBackend, accounts: impl Iterator<Item = &'a str>) -> Statement {
    of_heads(backend, "SELECT account_id, revision, changed_at", accounts, "")
}

/// Of the heads of some accounts. The text is the same however many they are, so that each connection prepares it once.
fn of_heads<'a>(backend: DbBackend, select: &str, accounts: impl Iterator<Item = &'a str>, lock: &str) -> Statement {
    let select = format!("{select} FROM account_head WHERE account_id");
    match backend {
        DbBackend::Sqlite => {
            let accounts = serde_json::Value::from_iter(accounts).to_string();
            let sql = format!("{select} IN (SELECT value FROM json_each(?))");
            Statement::from_sql_and_values(backend, sql, [accounts.into()])
        }
        _ => {
            let accounts = Value::Array(ArrayType::String, Some(Box::new(accounts.map(Value::from).collect())));
            Statement::from_sql_and_values(backend, format!("{select} = ANY($1){lock}"), [accounts])
        }
    }
}

/// What lets the rest of a transaction take the time that a large account takes: its rows come no faster than they are taken.
pub(super) fn before_long_read(backend: DbBackend) -> Option<&'static str> {
    (backend != DbBackend::Sqlite).then_some("SET LOCAL statement_timeout = '10min'")
}

/// Reads all rows of an account, by position in the order of the columns, but for the account.
pub(super) fn of_account(table: &Table, backend: DbBackend) -> String {
    let (name, columns) = (table.name, table.names_after_account());
    let account = if backend == DbBackend::Sqlite { "?1" } else { "$1" };
    format!("SELECT {columns} FROM {name} WHERE account_id = {account}")
}

/// Rows as the source `r` of a statement, with whatever [`value_in_source`] names. Their parameters begin at the number `first`.
///
/// The limits that limit nothing keep the planners from looking into the source: the rows come first, and each finds its place by
/// the key of the table.
pub(super) fn source(table: &Table, backend: DbBackend, first: usize) -> String {
    match backend {
        // In binary, a row is not parsed again for each of its values.
        DbBackend::Sqlite => {
            format!("(SELECT value FROM jsonb_each(?{first}) LIMIT -1) AS r")
        }
        _ => {
            let arrays = table.columns.iter().zip(first..);
            let arrays: Vec<_> =
                arrays.map(|((_, kind), number)| format!("${number}::{}[]", postgres_type(*kind))).collect();
            let (arrays, columns) = (arrays.join(", "), table.names());
            format!("(SELECT u.* FROM unnest({arrays}) AS u({columns}) OFFSET 0) AS r")
        }
    }
}

/// What a row of a source has for the column `at`.
pub(super) fn value_in_source(column: &str, at: usize, kind: Kind, backend: DbBackend) -> String {
    match (backend, kind) {
        (DbBackend::Sqlite, Kind::Bytes) => format!("unhex(r.value ->> {at})"),
        (DbBackend::Sqlite, _) => format!("r.value ->> {at}"),
        _ => format!("r.{column}"),
    }
}

/// The parameters that rows make up: an array for each column on Postgres, all in one JSON text on SQLite, which has no arrays.
pub(super) fn parameters_of(columns: Vec<Vec<Value>>, table: &Table, backend: DbBackend) -> Vec<Value> {
    match backend {
        DbBackend::Sqlite => vec![json_of(&columns).into()],
        _ => {
            let arrays = columns.into_iter().zip(table.columns);
            arrays.map(|(column, (_, kind))| Value::Array(array_type(*kind), Some(Box::new(column)))).collect()
        }
    }
}

fn postgres_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::OptionalText => "text",
        Kind::Integer | Kind::OptionalInteger => "integer",
        Kind::BigInteger | Kind::OptionalBigInteger => "bigint",
        Kind::Boolean => "boolean",
        Kind::Bytes => "bytea",
    }
}

fn array_type(kind: Kind) -> ArrayType {
    match kind {
        Kind::Text | Kind::OptionalText => ArrayType::String,
        Kind::Integer | Kind::OptionalInteger => ArrayType::Int,
        Kind::BigInteger | Kind::OptionalBigInteger => ArrayType::BigInt,
        Kind::Boolean => ArrayType::Bool,
        Kind::Bytes => ArrayType::Bytes,
    }
}

/// A list of rows, each a list of values.
fn json_of(columns: &[Vec<Value>]) -> String {
    let mut json = String::from("[");
    for row in 0..columns.first().map_or(0, Vec::len) {
        json.push_str(if row == 0 { "[" } else { ",[" });
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            push_json(&mut json, &column[row]);
        }
        json.push(']');
    }
    json.push(']');
    json
}

fn push_json(json: &mut String, value: &Value) {
    match value {
        Value::String(Some(text)) => *json += &serde_json::Value::from(text.as_str()).to_string(),
        Value::Int(Some(number)) => *json += &number.to_string(),
        Value::BigInt(Some(number)) => *json += &number.to_string(),
        Value::Bool(Some(truth)) => *json += if *truth { "true" } else { "false" },
        Value::Bytes(Some(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            *json += &format!("\"{digits}\"");
        }
        _ => unreachable!("rows are made of the kinds of columns"),
    }
}
