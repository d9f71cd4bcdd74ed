//! Which accounts are to be looked at for leads that nobody has owned for too long, and when.
//!
//! A batch that leaves a lead without an owner sets the time in the head of its account ([`super::write`]), unless an earlier one
//! stands there. Whoever looks at the account sets the next one.

use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use super::dialect::ageing as dialect;
use super::{Error, Readable, Tx};
use crate::domain::ids::AccountId;
use crate::domain::time::Timestamp;

/// When the next account is to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Agenda {
    /// The time.
    pub now: Timestamp,
    /// When the first of all is to be looked at, if any is.
    pub first: Option<Timestamp>,
}

impl Agenda {
    /// For how long some account should have been looked at already.
    pub fn late(&self) -> Option<Duration> {
        let late = self.now.0 - self.first?.0;
        u64::try_from(late).ok().map(Duration::from_micros)
    }
}

#[derive(FromQueryResult)]
struct AgendaRow {
    clock: i64,
    first: Option<i64>,
}

#[derive(FromQueryResult)]
struct Claimed {
    account_id: String,
}

/// Reads it.
pub async fn agenda(at: &impl Readable) -> Result<Agenda, Error> {
    let statement = dialect::agenda(at.connection().get_database_backend());
    let row = AgendaRow::find_by_statement(statement).one(at.connection()).await?;
    let AgendaRow { clock, first } =
        row.ok_or_else(|| Error::Unreadable { table: "account_head", what: "no agenda".into() })?;
    Ok(Agenda { now: Timestamp(clock), first: first.map(Timestamp) })
}

/// Takes the account that should have been looked at for the longest time by now, and that nobody writes to. It is to be looked at
/// again at another time, unless that is settled before.
pub async fn claim(tx: &Tx, now: Timestamp, again: Timestamp) -> Result<Option<AccountId>, Error> {
    let backend = tx.inner.get_database_backend();
    let values = [now.0.into(), again.0.into()];
    let statement = Statement::from_sql_and_values(backend, dialect::claim(backend), values);
    let row = Claimed::find_by_statement(statement).one(&tx.inner).await?;
    Ok(row.and_then(|row| AccountId::parse(&row.account_id).ok()))
}

/// Settles when an account is to be looked at next, if ever.
pub async fn look_at(tx: &Tx, account: &AccountId, at: Option<Timestamp>) -> Result<(), Error> {
    let backend = tx.inner.get_database_backend();
    let values = [account.as_str().into(), at.map(|at| at.0).into()];
    tx.inner.execute_raw(Statement::from_sql_and_values(backend, dialect::look_at(backend), values)).await?;
    Ok(())
}
