//! Which accounts have changes that may not be published yet.
//!
//! A batch that changes an owner marks its account in the same transaction ([`super::write`]). Whoever publishes finds the mark,
//! however the one who made it ended, and takes it away once everything up to it is published.

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use super::dialect::outbox as dialect;
use super::table::{Kind, Rows, Table};
use super::{Error, Readable, Tx};
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;

/// What was published of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The account.
    pub account: AccountId,
    /// Everything up to here that is to be published is.
    pub through: Revision,
    /// When the change was made that was published last.
    pub at: Timestamp,
}

/// What waits to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromQueryResult)]
pub struct Backlog {
    /// Of how many accounts.
    pub accounts: i64,
    /// For how long, of the one that waits for the longest time, in microseconds.
    pub age: i64,
}

/// What is told about what was published.
const PUBLISHED: Table = Table {
    name: "published",
    key: 1,
    columns: &[("account_id", Kind::Text), ("through", Kind::BigInteger), ("at", Kind::BigInteger)],
};

/// Up to `limit` accounts after one of them, by id, that have waited for longer than `age` microseconds.
pub async fn waiting(
    at: &impl Readable,
    after: Option<&AccountId>,
    age: i64,
    limit: u64,
) -> Result<Vec<AccountId>, Error> {
    let backend = at.connection().get_database_backend();
    let values =
        [after.map_or("", AccountId::as_str).into(), age.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let statement = Statement::from_sql_and_values(backend, dialect::waiting(backend), values);
    let rows = Waiting::find_by_statement(statement).all(at.connection()).await?;
    Ok(rows.into_iter().filter_map(|row| AccountId::parse(&row.account_id).ok()).collect())
}

#[derive(FromQueryResult)]
struct Waiting {
    account_id: String,
}

/// How much waits to be published.
pub async fn backlog(at: &impl Readable) -> Result<Backlog, Error> {
    let statement = dialect::backlog(at.connection().get_database_backend());
    Ok(Backlog::find_by_statement(statement).one(at.connection()).await?.unwrap_or_default())
}

/// Takes the marks of accounts away, unless they were made anew for what came since.
pub async fn settle(tx: &Tx, published: &[Published]) -> Result<(), Error> {
    let backend = tx.inner.get_database_backend();
    if let Some(setting) = dialect::before_what_may_be_lost(backend) {
        tx.inner.execute_unprepared(setting).await?;
    }
    let rows = Rows::of(
        published
            .iter()
            .map(|Published { account, through, at }| [account.as_str().into(), through.0.into(), at.0.into()]),
    );
    let parameters = rows.into_parameters(&PUBLISHED, backend);
    for sql in [dialect::take_marks_away(&PUBLISHED, backend), dialect::make_marks_younger(&PUBLISHED, backend)] {
        tx.inner.execute_raw(Statement::from_sql_and_values(backend, sql, parameters.clone())).await?;
    }
    Ok(())
}
