//! Which accounts have changes that may not be published yet.
//!
//! A batch that changes an owner marks its account in the same transaction ([`super::write`]). Whoever publishes finds the mark,
//! however the one who made it ended, and takes it away once everything up to it is published.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};

use super::dialect::outbox as dialect;
use super::entity::outbox::Entity;
use super::published::{self, Position, Watermark};
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
    /// The last revision that is in the stream, and where.
    pub last: Option<(Revision, Position)>,
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

/// What is told about where it is.
const LAST: Table = Table {
    name: "published",
    key: 1,
    columns: &[
        ("account_id", Kind::Text),
        ("revision", Kind::BigInteger),
        ("incarnation", Kind::BigInteger),
        ("sequence", Kind::BigInteger),
    ],
};

/// What is marked again.
const AGAIN: Table =
    Table { name: "outbox", key: 1, columns: &[("account_id", Kind::Text), ("revision", Kind::BigInteger)] };

/// Marks as they are looked for.
const MARK: Table = AGAIN.first(1);

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
    let rows = Marked::find_by_statement(statement).all(at.connection()).await?;
    Ok(rows.into_iter().filter_map(|row| AccountId::parse(&row.account_id).ok()).collect())
}

#[derive(FromQueryResult)]
struct Marked {
    account_id: String,
}

/// Up to where an account is published of which something waits to be.
pub async fn published_until(at: &impl Readable, account: &AccountId) -> Result<Option<Revision>, Error> {
    if Entity::in_account(account).one(at.connection()).await?.is_none() {
        return Ok(None);
    }
    let watermark = published::find(at, account).await?;
    Ok(Some(watermark.map_or(Revision::ZERO, |watermark| watermark.revision)))
}

/// How much waits to be published.
pub async fn backlog(at: &impl Readable) -> Result<Backlog, Error> {
    let statement = dialect::backlog(at.connection().get_database_backend());
    Ok(Backlog::find_by_statement(statement).one(at.connection()).await?.unwrap_or_default())
}

/// Marks accounts again that were published once and are not any more. Returns how many were not marked.
///
/// In the order in which whoever writes to several of them marks them: otherwise the two could wait for each other.
pub async fn mark_again(tx: &Tx, lost: &[Watermark]) -> Result<u64, Error> {
    let backend = tx.inner.get_database_backend();
    let mut in_order: Vec<_> = lost.iter().collect();
    in_order.sort_unstable_by_key(|lost| &lost.account);
    let rows = Rows::of(in_order.into_iter().map(|lost| [lost.account.as_str().into(), lost.revision.0.into()]));
    let parameters = rows.into_parameters(&AGAIN, backend);
    execute(tx, dialect::mark_again(&AGAIN, backend), parameters).await
}

/// Takes the marks of accounts away, unless they were made anew for what came since, and notes where in the stream they end. Those that
/// somebody writes stay as they are: they are settled once that is published.
pub async fn settle(tx: &Tx, published: &[Published]) -> Result<(), Error> {
    let backend = tx.inner.get_database_backend();
    if let Some(setting) = dialect::before_what_may_be_lost(backend) {
        tx.inner.execute_unprepared(setting).await?;
    }
    let last = Rows::of(published.iter().filter_map(|Published { account, last, .. }| {
        let (revision, Position { incarnation, sequence }) = (*last)?;
        Some([account.as_str().into(), revision.0.into(), incarnation.into(), sequence.into()])
    }));
    if !last.is_empty() {
        let parameters = last.into_parameters(&LAST, backend);
        execute(tx, dialect::note(&LAST, backend), parameters).await?;
    }
    let free = take(tx, published).await?;
    let free = published.iter().filter(|published| free.contains(published.account.as_str()));
    let rows =
        Rows::of(free.map(|Published { account, through, at, last: _ }| {
            [account.as_str().into(), through.0.into(), at.0.into()]
        }));
    let parameters = rows.into_parameters(&PUBLISHED, backend);
    execute(tx, dialect::take_marks_away(&PUBLISHED, backend), parameters.clone()).await?;
    execute(tx, dialect::make_marks_younger(&PUBLISHED, backend), parameters).await?;
    Ok(())
}

/// Locks the marks of accounts that nobody else has locked, and says which. Who writes to several accounts makes all their marks in one
/// transaction: whoever waited for one of those while having others could be waited for.
async fn take(tx: &Tx, published: &[Published]) -> Result<HashSet<String>, Error> {
    let backend = tx.inner.get_database_backend();
    let rows = Rows::of(published.iter().map(|published| [published.account.as_str().into()]));
    let sql = MARK.find(backend, "outbox.account_id") + dialect::unless_taken(backend);
    let statement = Statement::from_sql_and_values(backend, sql, rows.into_parameters(&MARK, backend));
    let marks = Marked::find_by_statement(statement).all(&tx.inner).await?;
    Ok(marks.into_iter().map(|mark| mark.account_id).collect())
}

/// Returns how many rows it touched.
async fn execute(tx: &Tx, sql: String, parameters: Vec<Value>) -> Result<u64, Error> {
    let statement = Statement::from_sql_and_values(tx.inner.get_database_backend(), sql, parameters);
    Ok(tx.inner.execute_raw(statement).await?.rows_affected())
}
