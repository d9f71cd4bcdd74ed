//! Where accounts stand.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Set};

use super::entity::account_head::{ActiveModel, Column, Entity, Model};
use super::{Error, Readable, Tx, dialect};
use crate::domain::fact::Tip;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Its last revision.
    pub revision: Revision,
    /// When that was made.
    pub changed_at: Timestamp,
    /// Up to here facts that are not history may be gone: who stands below must reload.
    pub facts_floor: Revision,
    /// Up to here history may be gone.
    pub history_floor: Revision,
}

impl Head {
    /// Where the log ends.
    pub fn tip(&self) -> Tip {
        Tip { revision: self.revision, at: self.changed_at }
    }
}

/// The head of an account under lock, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Locked {
    /// Where the account stands, for as long as the transaction lasts.
    pub head: Head,
    /// The time by the clock of the database, and never before the account's last change.
    pub now: Timestamp,
}

#[derive(FromQueryResult)]
struct LockedRow {
    account_id: String,
    revision: i64,
    changed_at: i64,
    facts_floor: i64,
    history_floor: i64,
    clock: i64,
}

/// Locks the head of an account until the end of the transaction; the first statement of every write. An account that was never
/// written to gets its head now, which is gone again if the transaction is rolled back.
///
/// Must be a statement of its own: what is read after it sees what the transactions before it wrote.
#[tracing::instrument(level = "debug", skip_all)]
pub async fn lock(tx: &Tx, account: &AccountId) -> Result<Locked, Error> {
    if let Some(locked) = try_lock(tx, account).await? {
        return Ok(locked);
    }
    let row = ActiveModel {
        account_id: Set(account.as_str().to_owned()),
        revision: Set(0),
        changed_at: Set(0),
        facts_floor: Set(0),
        history_floor: Set(0),
        overdue_at: Set(None),
    };
    let unless_known = OnConflict::column(Column::AccountId).do_nothing().to_owned();
    Entity::insert(row).on_conflict(unless_known).exec_without_returning(&tx.inner).await?;
    let missing = || Error::Unreadable { table: "account_head", what: "no row that was just written".into() };
    try_lock(tx, account).await?.ok_or_else(missing)
}

/// Locks those heads of accounts that are there and that nobody else has locked. Waits for nobody, so that two who lock several
/// cannot wait for each other.
#[tracing::instrument(level = "debug", name = "lock", skip_all, fields(accounts = accounts.len()))]
pub async fn lock_free(tx: &Tx, accounts: &[&AccountId]) -> Result<HashMap<AccountId, Locked>, Error> {
    let statement = dialect::lock_heads(tx.inner.get_database_backend(), accounts, true);
    let rows = LockedRow::find_by_statement(statement).all(&tx.inner).await?;
    let locked = |row: LockedRow| Some((AccountId::parse(&row.account_id).ok()?, Locked::from(row)));
    Ok(rows.into_iter().filter_map(locked).collect())
}

async fn try_lock(tx: &Tx, account: &AccountId) -> Result<Option<Locked>, Error> {
    let statement = dialect::lock_heads(tx.inner.get_database_backend(), &[account], false);
    Ok(LockedRow::find_by_statement(statement).one(&tx.inner).await?.map(Locked::from))
}

/// Raises the floors of an account, which is locked.
pub async fn raise_floors(tx: &Tx, account: &AccountId, facts: Revision, history: Revision) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::FactsFloor, Expr::value(facts.0))
        .col_expr(Column::HistoryFloor, Expr::value(history.0))
        .filter(Column::AccountId.eq(account.as_str()))
        .exec(&tx.inner)
        .await?;
    Ok(())
}

/// Where an account stands. One that was never written to stands at the beginning.
pub async fn read(at: &impl Readable, account: &AccountId) -> Result<Head, Error> {
    let row = Entity::in_account(account).one(at.connection()).await?;
    Ok(row.map_or_else(Head::default, Head::from))
}

/// Where the logs of several accounts end, in one statement. Those that were never written to are absent.
#[tracing::instrument(level = "debug", skip_all, fields(accounts = accounts.len()))]
pub async fn tips(at: &impl Readable, accounts: &[AccountId]) -> Result<HashMap<AccountId, Tip>, Error> {
    let backend = at.connection().get_database_backend();
    let statement = dialect::tips(backend, accounts.iter().map(AccountId::as_str));
    let mut tips = HashMap::with_capacity(accounts.len());
    for row in at.connection().query_all_raw(statement).await? {
        let id: String = row.try_get_by_index(0)?;
        let tip = Tip { revision: Revision(row.try_get_by_index(1)?), at: Timestamp(row.try_get_by_index(2)?) };
        tips.extend(AccountId::parse(&id).ok().map(|id| (id, tip)));
    }
    Ok(tips)
}

/// Some accounts by id, after one of them, that have facts above their floor, or with `history` history above its floor, with
/// their heads.
pub async fn untrimmed_after(
    at: &impl Readable,
    after: Option<&AccountId>,
    history: bool,
    limit: u64,
) -> Result<Vec<(AccountId, Head)>, Error> {
    let rows = Entity::find()
        .filter(Column::AccountId.gt(after.map_or("", AccountId::as_str)))
        .filter(below_head(Column::FactsFloor).or(below_head(Column::HistoryFloor).and(Expr::value(history))))
        .order_by_asc(Column::AccountId)
        .limit(limit)
        .all(at.connection())
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((AccountId::parse(&row.account_id).ok()?, Head::from(row)))).collect())
}

fn below_head(floor: Column) -> Expr {
    Expr::col(floor).lt(Expr::col(Column::Revision))
}

impl From<LockedRow> for Locked {
    fn from(row: LockedRow) -> Self {
        let LockedRow { account_id: _, revision, changed_at, facts_floor, history_floor, clock } = row;
        let head = Head {
            revision: Revision(revision),
            changed_at: Timestamp(changed_at),
            facts_floor: Revision(facts_floor),
            history_floor: Revision(history_floor),
        };
        Self { head, now: Timestamp(Ord::max(clock, changed_at)) }
    }
}

impl From<Model> for Head {
    fn from(row: Model) -> Self {
        Self {
            revision: Revision(row.revision),
            changed_at: Timestamp(row.changed_at),
            facts_floor: Revision(row.facts_floor),
            history_floor: Revision(row.history_floor),
        }
    }
}
