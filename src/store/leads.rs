//! Leads as they are now.

use std::pin::pin;

use futures::TryStreamExt;
use sea_orm::sqlx::{self, ColumnIndex, Decode, Row};
use sea_orm::{ConnectionTrait, QueryResult, Statement, StreamTrait, Value};

use super::facts::json;
use super::table::{Kind, Table, optional};
use super::{Error, Readable, dialect};
use crate::domain::actor::Source;
use crate::domain::attributes::Attributes;
use crate::domain::ids::{AccountId, LeadId, MemberId, Revision, is_id};
use crate::domain::lead::{Lead, LeadRef, Ownership, Projection};
use crate::domain::time::Timestamp;

/// Leads as they are written, and read.
pub(super) const TABLE: Table = Table {
    name: "lead",
    key: 2,
    columns: &[
        ("account_id", Kind::Text),
        ("lead_id", Kind::Text),
        ("owner_id", Kind::OptionalText),
        ("owner_since", Kind::BigInteger),
        ("revision", Kind::BigInteger),
        ("stage", Kind::Text),
        ("stage_entered_at", Kind::BigInteger),
        ("closed", Kind::Boolean),
        ("created_at", Kind::BigInteger),
        ("source", Kind::Text),
        ("attributes", Kind::Text),
        ("observed_at", Kind::BigInteger),
        ("overdue_revision", Kind::BigInteger),
    ],
};

/// What of a lead changes with its owner.
pub(super) const OWNERSHIP: Table = TABLE.first(5);

/// Leads as they are named.
pub(super) const KEY: Table = TABLE.first(2);

/// What attributes are when there are none, which is mostly.
const NONE: &str = "{}";

/// A lead as a row.
pub(super) fn row_of(account: &AccountId, lead: &Lead) -> [Value; 13] {
    let Lead { ownership, projection, overdue } = lead;
    let [account, id, owner, since, revision] = ownership_of(account, ownership);
    let Projection { stage, stage_entered_at, closed, created_at, source, attributes, observed_at } = projection;
    [
        account,
        id,
        owner,
        since,
        revision,
        stage.as_str().into(),
        stage_entered_at.0.into(),
        (*closed).into(),
        created_at.0.into(),
        source.as_str().into(),
        if attributes.as_ref().is_empty() { NONE.into() } else { json(attributes).into() },
        observed_at.0.into(),
        // Of the ownership that others are told of: with the next one it says nothing any more, whoever writes that.
        if *overdue { ownership.revision.0.into() } else { 0_i64.into() },
    ]
}

/// What of a lead changes with its owner, as a row.
pub(super) fn ownership_of(account: &AccountId, ownership: &Ownership) -> [Value; 5] {
    let Ownership { lead, owner, since, revision } = ownership;
    let owner = optional(owner.as_ref().map(MemberId::as_str));
    [account.as_str().into(), lead.as_str().into(), owner, since.0.into(), revision.0.into()]
}

/// The name of a lead as a row.
pub(super) fn key_of(account: &AccountId, lead: &LeadId) -> [Value; 2] {
    [account.as_str().into(), lead.as_str().into()]
}

/// Hands all leads of an account to `take`, one after the other and in no order, as they come from the database: neither it nor
/// this holds all of them at once. Ends when `take` returns an error. Other tasks get their turns meanwhile.
#[tracing::instrument(level = "debug", skip(at, take))]
pub async fn for_each<E: From<Error>>(
    at: &impl Readable,
    account: &AccountId,
    mut take: impl FnMut(LeadRef<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let connection = at.connection();
    let backend = ConnectionTrait::get_database_backend(connection);
    if let Some(sql) = dialect::before_long_read(backend) {
        connection.execute_unprepared(sql).await.map_err(Error::from)?;
    }
    let sql = dialect::of_account(&TABLE, backend);
    let statement = Statement::from_sql_and_values(backend, sql, [account.as_str().into()]);
    let mut rows = pin!(connection.stream_raw(statement).await.map_err(Error::from)?);
    while let Some(row) = rows.try_next().await.map_err(Error::from)? {
        take_row(&row, &mut take)?;
        // Rows that have arrived together would otherwise be taken without a pause.
        tokio::task::consume_budget().await;
    }
    Ok(())
}

fn take_row<E: From<Error>>(row: &QueryResult, take: impl FnOnce(LeadRef<'_>) -> Result<(), E>) -> Result<(), E> {
    match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
        (Some(row), _) => decode(row, take),
        (_, Some(row)) => decode(row, take),
        (None, None) => unreachable!("there are two databases"),
    }
}

/// Columns by position, text where it arrived, and no parser for what is mostly absent: this runs a million times for a large
/// account.
fn decode<'r, R, E>(row: &'r R, take: impl FnOnce(LeadRef<'_>) -> Result<(), E>) -> Result<(), E>
where
    R: Row,
    usize: ColumnIndex<R>,
    &'r str: Decode<'r, R::Database>,
    Option<&'r str>: Decode<'r, R::Database>,
    i64: Decode<'r, R::Database>,
    bool: Decode<'r, R::Database>,
    E: From<Error>,
{
    let broken = |error: sqlx::Error| Error::Unreadable { table: "lead", what: error.to_string() };
    let text = |at: usize| row.try_get_unchecked::<&str, _>(at).map_err(broken);
    let time = |at: usize| row.try_get_unchecked(at).map(Timestamp).map_err(broken);
    let id = text(0)?;
    let unreadable = |what: &str| Error::Unreadable { table: "lead", what: format!("{what} of {id}") };
    let owner: Option<&str> = row.try_get_unchecked(1).map_err(broken)?;
    if !is_id(id) || !owner.is_none_or(is_id) {
        return Err(unreadable("an id").into());
    }
    let attributes: Attributes = match text(9)? {
        NONE => Attributes::default(),
        json => serde_json::from_str(json).map_err(|_| unreadable("attributes"))?,
    };
    let revision: i64 = row.try_get_unchecked(3).map_err(broken)?;
    let overdue_revision: i64 = row.try_get_unchecked(11).map_err(broken)?;
    take(LeadRef {
        id,
        owner,
        since: time(2)?,
        revision: Revision(revision),
        stage: text(4)?,
        stage_entered_at: time(5)?,
        closed: row.try_get_unchecked(6).map_err(broken)?,
        created_at: time(7)?,
        source: Source::from_word(text(8)?).ok_or_else(|| unreadable("source"))?,
        attributes: attributes.as_ref(),
        observed_at: time(10)?,
        overdue: overdue_revision == revision,
    })
}
