//! Request ids that were used.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Statement, Value};
use uuid::Uuid;

use super::entity::request::{Column, Entity, Model};
use super::facts::json;
use super::table::{Kind, Rows, Table};
use super::{Error, Readable, Tx};
use crate::domain::ids::{AccountId, CallerId, Revision};
use crate::domain::outcome::Results;
use crate::domain::time::Timestamp;

/// A request id that was used, for what, and what the answer was.
#[derive(Debug, Clone)]
pub struct Used {
    /// Who used it.
    pub caller: CallerId,
    /// The id.
    pub request: Uuid,
    /// For which method.
    pub method: String,
    /// For which body.
    pub fingerprint: [u8; 32],
    /// The revision of the answer.
    pub revision: Revision,
    /// What became of the request.
    pub results: Results,
}

/// Request ids as they are written.
pub(super) const TABLE: Table = Table {
    name: "request",
    key: 3,
    columns: &[
        ("account_id", Kind::Text),
        ("caller_id", Kind::Text),
        ("request_id", Kind::Text),
        ("method", Kind::Text),
        ("fingerprint", Kind::Bytes),
        ("revision", Kind::BigInteger),
        ("answer", Kind::Text),
        ("created_at", Kind::BigInteger),
    ],
};

/// Request ids as they are looked for.
const KEY: Table = TABLE.first(3);

/// A request id as a row.
pub(super) fn row_of(account: &AccountId, used: &Used, at: Timestamp) -> [Value; 8] {
    let Used { caller, request, method, fingerprint, revision, results } = used;
    [
        account.as_str().into(),
        caller.as_str().into(),
        request.to_string().into(),
        method.as_str().into(),
        fingerprint.to_vec().into(),
        revision.0.into(),
        json(results).into(),
        at.0.into(),
    ]
}

/// Those of some request ids that their accounts have seen from these callers, by account.
pub async fn find(
    at: &impl Readable,
    ids: impl Iterator<Item = (&AccountId, &CallerId, Uuid)>,
) -> Result<HashMap<AccountId, Vec<Used>>, Error> {
    let mut known = HashMap::<_, Vec<_>>::new();
    let backend = at.connection().get_database_backend();
    let rows = Rows::of(ids.map(|(account, caller, request)| {
        [account.as_str().into(), caller.as_str().into(), request.to_string().into()]
    }));
    if rows.is_empty() {
        return Ok(known);
    }
    let parameters = rows.into_parameters(&KEY, backend);
    let statement = Statement::from_sql_and_values(backend, KEY.find(backend, "request.*"), parameters);
    for row in Model::find_by_statement(statement).all(at.connection()).await? {
        let account = AccountId::parse(&row.account_id).map_err(|_| unreadable(&row, "account_id"))?;
        known.entry(account).or_default().push(used_of(row)?);
    }
    Ok(known)
}

/// Forgets up to `limit` request ids that were used before a time, of all accounts. Returns how many.
pub async fn forget_before(tx: &Tx, before: Timestamp, limit: u64) -> Result<u64, Error> {
    let key = [Column::AccountId, Column::CallerId, Column::RequestId];
    let oldest = Query::select()
        .columns(key)
        .from(Entity)
        .and_where(Column::CreatedAt.lt(before.0))
        .order_by(Column::CreatedAt, Order::Asc)
        .limit(limit)
        .to_owned();
    let among = Expr::tuple(key.map(Expr::col)).in_subquery(oldest);
    Ok(Entity::delete_many().filter(among).exec(&tx.inner).await?.rows_affected)
}

fn unreadable(row: &Model, what: &str) -> Error {
    let Model { account_id, caller_id, request_id, .. } = row;
    Error::Unreadable { table: "request", what: format!("{what} at {account_id}/{caller_id}/{request_id}") }
}

fn used_of(row: Model) -> Result<Used, Error> {
    let unreadable = |what: &str| unreadable(&row, what);
    Ok(Used {
        caller: CallerId::parse(&row.caller_id).map_err(|_| unreadable("caller_id"))?,
        request: Uuid::parse_str(&row.request_id).map_err(|_| unreadable("request_id"))?,
        fingerprint: row.fingerprint.as_slice().try_into().map_err(|_| unreadable("fingerprint"))?,
        revision: Revision(row.revision),
        results: serde_json::from_str(&row.answer).map_err(|_| unreadable("answer"))?,
        method: row.method,
    })
}
