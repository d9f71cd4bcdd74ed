//! What can go wrong between the service and its database.

use sea_orm::DbErr;
use sea_orm::RuntimeErr;
use sea_orm::sqlx;

/// A failed use of the database, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, refuses work, or did not answer in time. Nothing was committed; trying later may help.
    #[error("the database is not available")]
    Unavailable(#[source] DbErr),
    /// Another transaction was in the way. Nothing was committed; trying again at once helps.
    #[error("another transaction was in the way")]
    Conflict(#[source] DbErr),
    /// The connection was lost during COMMIT: it may or may not have been committed.
    #[error("the outcome of a commit is unknown")]
    CommitUnknown(#[source] DbErr),
    /// It did not answer in time.
    #[error("the database did not answer in time")]
    TimedOut,
    /// A row holds what this version of the service cannot read.
    #[error("{table} holds {what} that cannot be read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// What is unreadable in it.
        what: String,
    },
    /// Another process uses this database file.
    #[error("the database {path} is locked by another process: stop that one, or use Postgres for several replicas")]
    InUse {
        /// The file.
        path: String,
    },
    /// The lock beside the database file cannot be taken.
    #[error("the lock file {path} cannot be used")]
    Lock {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The URL names no database that is supported.
    #[error("the database URL is neither sqlite:PATH nor postgres://...")]
    UnsupportedUrl,
    /// Everything else: a defect.
    #[error("the database refused a statement")]
    Defect(#[source] DbErr),
}

impl Error {
    /// Whether trying again, later, may help. A commit of unknown outcome must be looked up before it is tried again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Conflict(_) | Self::TimedOut => true,
            Self::CommitUnknown(_)
            | Self::Unreadable { .. }
            | Self::InUse { .. }
            | Self::Lock { .. }
            | Self::UnsupportedUrl
            | Self::Defect(_) => false,
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match class_of(&error) {
            Class::Unavailable => Self::Unavailable(error),
            Class::Conflict => Self::Conflict(error),
            Class::Other => Self::Defect(error),
        }
    }
}

/// The failure of a COMMIT: whatever reached the server may have happened.
pub(super) fn of_commit(error: DbErr) -> Error {
    match class_of(&error) {
        Class::Conflict => Error::Conflict(error),
        // A server that answers with an error of its own has rolled back.
        Class::Unavailable | Class::Other if code_of(&error).is_some_and(|code| !code.starts_with("57P")) => {
            error.into()
        }
        Class::Unavailable | Class::Other => Error::CommitUnknown(error),
    }
}

enum Class {
    Unavailable,
    Conflict,
    Other,
}

fn class_of(error: &DbErr) -> Class {
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) {
        return Class::Unavailable;
    }
    let Some(cause) = driver_error(error) else { return Class::Other };
    match cause {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Unavailable,
        sqlx::Error::Database(error) => error.code().map_or(Class::Other, |code| class_of_code(&code)),
        _ => Class::Other,
    }
}

/// By SQLSTATE on Postgres and by extended result code on SQLite; the two do not overlap.
fn class_of_code(code: &str) -> Class {
    match code {
        // Serialization failure, deadlock, lock timeout; SQLITE_BUSY, LOCKED, LOCKED_SHAREDCACHE, BUSY_SNAPSHOT.
        "40001" | "40P01" | "55P03" | "5" | "6" | "262" | "517" => Class::Conflict,
        // Shutdown, crash, starting up, cancelled by a timeout, read-only after a failover, too many connections, disk full;
        // SQLITE_IOERR, FULL, CANTOPEN.
        "57P01" | "57P02" | "57P03" | "57014" | "25006" | "53300" | "53100" | "10" | "13" | "14" => Class::Unavailable,
        code if code.len() == 5 && code.starts_with("08") => Class::Unavailable,
        _ => Class::Other,
    }
}

fn code_of(error: &DbErr) -> Option<String> {
    driver_error(error)?.as_database_error()?.code().map(|code| code.into_owned())
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}
