//! Whether the database answers.

use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{Error, Readable, Store, dialect};
use crate::domain::time::Timestamp;

/// Longest wait for the answer.
const LIMIT: Duration = Duration::from_secs(1);

impl Store {
    /// Asks the database for a sign of life, for a second at most.
    pub async fn probe(&self) -> Result<(), Error> {
        let asked = tokio::time::timeout(LIMIT, self.reader.execute_unprepared("SELECT 1"));
        asked.await.map_err(|_| Error::TimedOut)?.map(drop).map_err(Error::from)
    }
}

/// The connections to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// In use.
    pub used: u32,
    /// Open, and not in use.
    pub idle: u32,
    /// How many there may be.
    pub max: u32,
}

impl Store {
    /// The connections to the database; on SQLite those that read.
    pub fn pool(&self) -> Pool {
        let (open, idle, max) = dialect::pool(&self.reader);
        let idle = u32::try_from(idle).unwrap_or(open).min(open);
        Pool { used: open - idle, idle, max }
    }
}

/// The time by the clock of the database.
pub async fn clock(at: &impl Readable) -> Result<Timestamp, Error> {
    let statement = dialect::clock(at.connection().get_database_backend());
    let row = Clock::find_by_statement(statement).one(at.connection()).await?;
    let missing = || Error::Unreadable { table: "no table", what: "no clock".into() };
    Ok(Timestamp(row.ok_or_else(missing)?.clock))
}

#[derive(FromQueryResult)]
struct Clock {
    clock: i64,
}
