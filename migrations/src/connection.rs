//! The connection that applies changes.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm_migration::sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

use crate::Error;

/// What a URL names.
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            return sqlite_file(url).map(Self::Sqlite);
        }
        let postgres = url.starts_with("postgres:") || url.starts_with("postgresql:");
        let options = postgres.then(|| PgConnectOptions::from_str(url).ok()).flatten();
        options.map(|options| Self::Postgres(Box::new(options))).ok_or(Error::UnsupportedUrl)
    }
}

fn sqlite_file(url: &str) -> Result<PathBuf, Error> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| Error::UnsupportedUrl)?;
    let file = options.get_filename().to_path_buf();
    // The driver gives a database in memory a made-up name of this form.
    let in_memory = file.as_os_str().is_empty() || file.to_string_lossy().starts_with("file:sqlx-in-memory");
    if in_memory { Err(Error::InMemory) } else { Ok(file) }
}

pub(crate) async fn open(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| sqlite.create_if_missing(true).journal_mode(SqliteJournalMode::Wal))
        // A change that waits behind a long query would make every other query wait behind itself. The building of an index does not.
        .map_sqlx_postgres_opts(|postgres| postgres.options([("lock_timeout", "2s")]));
    Database::connect(options).await
}
