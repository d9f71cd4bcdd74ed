//! Request ids that were used.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Statement};
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
    key: 2,
    columns: &[
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
const KEY: Table = TABLE.first(2);

/// Request ids as rows.
pub(super) fn rows(used: &[Used], at: Timestamp) -> Rows {
    Rows::of(used.iter().map(|Used { caller, request, method, fingerprint, revision, results }| {
        [
            caller.as_str().into(),
            request.to_string().into(),
            method.as_str().into(),
            fingerprint.to_vec().into(),
            revision.0.into(),
            json(results).into(),
            at.0.into(),
        ]
    }))
}

/// Those of some request ids that an account has seen from these callers.
pub async fn find(at: &impl Readable, account: &AccountId, ids: &[(&CallerId, Uuid)]) -> Result<Vec<Used>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let backend = at.connection().get_database_backend();
    let rows = Rows::of(ids.iter().map(|(caller, request)| [caller.as_str().into(), request.to_string().into()]));
    let mut parameters = vec![account.as_str().into()];
    parameters.extend(rows.into_parameters(&KEY, backend));
    let statement = Statement::from_sql_and_values(backend, KEY.find(backend, "request.*"), parameters);
    let rows = Model::find_by_statement(statement).all(at.connection()).await?;
    rows.into_iter().map(used_of).collect()
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

fn used_of(row: Model) -> Result<Used, Error> {
    let unreadable = |what: &str| Error::Unreadable {
        table: "request",
        what: format!("{what} at {}/{}/{}", row.account_id, row.caller_id, row.request_id),
    };
    Ok(Used {
        caller: CallerId::parse(&row.caller_id).map_err(|_| unreadable("caller_id"))?,
        request: Uuid::parse_str(&row.request_id).map_err(|_| unreadable("request_id"))?,
        fingerprint: row.fingerprint.as_slice().try_into().map_err(|_| unreadable("fingerprint"))?,
        revision: Revision(row.revision),
        results: serde_json::from_str(&row.answer).map_err(|_| unreadable("answer"))?,
        method: row.method,
    })
}
