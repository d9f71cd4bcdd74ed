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
