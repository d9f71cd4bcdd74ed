//! Whether a database is fit to be served from: for those who look after it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, TryGetable};

use super::{Error, Store};
use crate::domain::time::Timestamp;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The oldest Postgres that is supported, as `server_version_num`.
const OLDEST_POSTGRES: i64 = 150_000;
/// How far the clock of the database may be off.
const SKEW_MICROS: u64 = 1_000_000;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Works, and should be looked at.
    Doubtful,
    /// Has to be changed.
    Bad,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// How it was found.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it, unless it is fine.
    pub advice: &'static str,
}

impl Finding {
    /// Something that is fine when `fine`, and otherwise as bad as `verdict`.
    pub fn new(what: &'static str, found: impl Into<String>, fine: bool, otherwise: (Verdict, &'static str)) -> Self {
        let (verdict, advice) = if fine { (Verdict::Fine, "") } else { otherwise };
        Self { what, verdict, found: found.into(), advice }
    }
}

impl Store {
    /// The names of the schema changes that this program needs and the database lacks.
    pub async fn pending(&self) -> Result<Vec<String>, Error> {
        Ok(ownership_migrations::pending(&self.reader).await?)
    }
}

/// Looks at a database without changing anything, also while the service uses it. `now` is the time by the caller's clock.
pub async fn examine(url: &str, now: impl Fn() -> Timestamp) -> Result<Vec<Finding>, Error> {
    let file = sqlite_file(url);
    if file.as_deref().is_some_and(|file| !file.exists()) {
        let otherwise =
            (Verdict::Doubtful, "`ownership migrate` creates it, and so does the service; or check database.url");
        return Ok(vec![Finding::new("file", "is not there yet", false, otherwise)]);
    }
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).acquire_timeout(PATIENCE).connect_timeout(PATIENCE).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| sqlite.read_only(true).create_if_missing(false));
    let database = Database::connect(options).await?;
    let mut findings = vec![pending(&database).await?];
    match file {
        Some(file) => findings.extend(examine_sqlite(&database, &file).await?),
        None => findings.extend(examine_postgres(&database, now).await?),
    }
    Ok(findings)
}

fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options = url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(url).ok())??;
    Some(options.get_filename().to_path_buf())
}

async fn pending(database: &DatabaseConnection) -> Result<Finding, Error> {
    let pending = ownership_migrations::pending(database).await?;
    let found =
        if pending.is_empty() { "up to date".to_owned() } else { format!("{} changes are missing", pending.len()) };
    Ok(Finding::new("schema", found, pending.is_empty(), (Verdict::Bad, "run `ownership migrate`")))
}

async fn examine_sqlite(database: &DatabaseConnection, file: &Path) -> Result<Vec<Finding>, Error> {
    let journal: String = ask(database, "PRAGMA journal_mode").await?;
    let check: String = ask(database, "PRAGMA quick_check(1)").await?;
    // So is every backup by VACUUM.
    let wal = (Verdict::Doubtful, "the service turns the write-ahead log on when it starts");
    let sound = (Verdict::Bad, "the file is damaged: stop the service and restore a backup");
    let mut findings = vec![
        Finding::new("journal", journal.clone(), journal == "wal", wal),
        Finding::new("integrity", check.clone(), check == "ok", sound),
    ];
    findings.extend(permissions(file));
    Ok(findings)
}

#[cfg(unix)]
fn permissions(file: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    let otherwise = (Verdict::Doubtful, "other users of this machine can read the database: chmod 600");
    Some(Finding::new("permissions", format!("{mode:03o}"), mode & 0o007 == 0, otherwise))
}

#[cfg(not(unix))]
fn permissions(_: &Path) -> Option<Finding> {
    None
}

async fn examine_postgres(database: &DatabaseConnection, now: impl Fn() -> Timestamp) -> Result<Vec<Finding>, Error> {
    let setting = async |name: &str| ask::<String>(database, &format!("SELECT current_setting('{name}')")).await;
    let version = setting("server_version").await?;
    let number: i64 = setting("server_version_num").await?.parse().unwrap_or_default();
    let recovering: bool = ask(database, "SELECT pg_is_in_recovery()").await?;
    let old = (Verdict::Bad, "the service needs Postgres 15 or later");
    let standby = (Verdict::Bad, "this is a standby: point database.url to the primary");
    let mut findings = vec![
        Finding::new("version", version, number >= OLDEST_POSTGRES, old),
        Finding::new("primary", if recovering { "no" } else { "yes" }, !recovering, standby),
        indexes(database).await?,
        skew(database, now).await?,
    ];
    for (name, bad, verdict, advice) in [
        ("fsync", "off", Verdict::Bad, "a crash of the machine can destroy the database: set fsync = on"),
        (
            "full_page_writes",
            "off",
            Verdict::Bad,
            "a crash of the machine can destroy pages: set full_page_writes = on",
        ),
        (
            "synchronous_commit",
            "off",
            Verdict::Doubtful,
            "the service turns it on for itself; other clients can lose writes",
        ),
    ] {
        let value = setting(name).await?;
        findings.push(Finding::new(name, value.clone(), value != bad, (verdict, advice)));
    }
    Ok(findings)
}

/// What keeps an index from being built leaves one that costs writes and serves no read.
async fn indexes(database: &DatabaseConnection) -> Result<Finding, Error> {
    let invalid: String = ask(
        database,
        "SELECT coalesce(string_agg(it.relname, ', ' ORDER BY it.relname), '') \
         FROM pg_index JOIN pg_class it ON it.oid = indexrelid JOIN pg_namespace place ON place.oid = it.relnamespace \
         WHERE NOT indisvalid AND place.nspname = current_schema()",
    )
    .await?;
    let is_fine = invalid.is_empty();
    let found = if is_fine { "complete".to_owned() } else { format!("not complete: {invalid}") };
    let otherwise = (Verdict::Bad, "unless it is being built just now, build it again: REINDEX INDEX CONCURRENTLY");
    Ok(Finding::new("indexes", found, is_fine, otherwise))
}

async fn skew(database: &DatabaseConnection, now: impl Fn() -> Timestamp) -> Result<Finding, Error> {
    let before = now();
    let there: i64 = ask(database, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").await?;
    let here = before.0.midpoint(now().0);
    let skew = there.abs_diff(here);
    let otherwise = (Verdict::Doubtful, "synchronise the clocks of this machine and the database");
    Ok(Finding::new("clock", format!("{} ms apart", skew / 1000), skew <= SKEW_MICROS, otherwise))
}

/// The first column of the only row.
async fn ask<T: TryGetable>(database: &DatabaseConnection, sql: &str) -> Result<T, Error> {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await?;
    let missing = || Error::Unreadable { table: "no table", what: "no answer".into() };
    Ok(row.ok_or_else(missing)?.try_get_by_index(0)?)
}
