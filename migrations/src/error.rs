use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sea_orm_migration::sea_orm::{DbErr, sqlx};

/// Why the schema was not brought up to date. No variant carries the URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no database that this crate knows.
    #[error("a database URL is `sqlite:PATH` or `postgres://...`")]
    UnsupportedUrl,
    /// The URL names a database without a file.
    #[error("a database in memory ends with its connection: name a file")]
    InMemory,
    /// The lock file can be neither opened nor locked.
    #[error("cannot lock `{path}`")]
    LockFile {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The session that holds the lock failed.
    #[error("cannot ask the database for the migration lock")]
    LockSession(#[source] sqlx::Error),
    /// Another process has been migrating for longer than anybody should wait.
    #[error("another process has held the migration lock for {} s", waited.as_secs())]
    LockTimeout {
        /// How long this process waited.
        waited: Duration,
    },
    /// The database refused a change, or cannot be reached.
    #[error(transparent)]
    Database(#[from] DbErr),
}
