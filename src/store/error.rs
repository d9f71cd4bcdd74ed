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

    /// Whether another transaction was in the way, and trying again at once may help.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
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
        Class::Unavailable | Class::Other if code_of(&error).is_some_and(|code| !leaves_it_open(&code)) => error.into(),
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

/// Whether a COMMIT that fails like this may have happened: a server that went away, a disk that did not say what it has.
fn leaves_it_open(code: &str) -> bool {
    code.starts_with("57P") || sqlite_code(code) == Some(SQLITE_IOERR)
}

const SQLITE_IOERR: u32 = 10;

/// By SQLSTATE on Postgres and by result code on SQLite.
fn class_of_code(code: &str) -> Class {
    match (sqlite_code(code), code) {
        // SQLITE_BUSY, LOCKED; serialization failure, deadlock, lock timeout.
        (Some(5 | 6), _) | (None, "40001" | "40P01" | "55P03") => Class::Conflict,
        // SQLITE_IOERR, FULL, CANTOPEN.
        (Some(SQLITE_IOERR | 13 | 14), _) => Class::Unavailable,
        // Shutdown, crash, starting up, cancelled by a timeout, idle for too long in a transaction, read-only after a failover, too
        // many connections, disk full.
        (None, "57P01" | "57P02" | "57P03" | "57014" | "25P03" | "25006" | "53300" | "53100") => Class::Unavailable,
        (None, code) if code.starts_with("08") => Class::Unavailable,
        _ => Class::Other,
    }
}

/// The result code of SQLite without what extends it: a SQLSTATE has five characters, and no code of SQLite that many.
fn sqlite_code(code: &str) -> Option<u32> {
    let code: u32 = code.parse().ok().filter(|_| code.len() < 5)?;
    Some(code & 0xff)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_can_be_done() {
        // SQLITE_BUSY_SNAPSHOT, LOCKED_SHAREDCACHE and BUSY; their likes on Postgres.
        for code in ["517", "262", "5", "40001", "55P03"] {
            assert!(matches!(class_of_code(code), Class::Conflict), "{code}");
        }
        // SQLITE_IOERR_READ, IOERR_FSYNC, IOERR_WRITE, FULL and CANTOPEN_ISDIR; a lost connection, a shutdown, a transaction that idled.
        for code in ["266", "1034", "778", "13", "526", "08006", "57P01", "25P03"] {
            assert!(matches!(class_of_code(code), Class::Unavailable), "{code}");
        }
        // SQLITE_CONSTRAINT_UNIQUE, CORRUPT; a unique violation.
        for code in ["2067", "11", "23505"] {
            assert!(matches!(class_of_code(code), Class::Other), "{code}");
        }
        assert!(["57P01", "1034"].into_iter().all(leaves_it_open), "it may have happened");
        assert!(!["13", "53100", "40001"].into_iter().any(leaves_it_open), "it has not");
    }
}
