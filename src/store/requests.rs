//! Request ids that were used.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::entity::request::{ActiveModel, Column, Entity, Model};
use super::facts::json;
use super::{Error, Readable, Tx, dialect};
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

/// Parameters of one row.
const COLUMNS: usize = 8;

/// Remembers request ids of an account, whose head is locked.
pub async fn remember(tx: &Tx, account: &AccountId, used: &[Used], at: Timestamp) -> Result<(), Error> {
    let chunk = dialect::max_parameters(tx.inner.get_database_backend()) / COLUMNS;
    for used in used.chunks(chunk) {
        let rows = used.iter().map(|used| row_of(account, used, at));
        Entity::insert_many(rows).exec_without_returning(&tx.inner).await?;
    }
    Ok(())
}

/// Those of some request ids that an account has seen, from whomever.
pub async fn find(at: &impl Readable, account: &AccountId, requests: &[Uuid]) -> Result<Vec<Used>, Error> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let ids = requests.iter().map(Uuid::to_string);
    let rows = Entity::in_account(account).filter(Column::RequestId.is_in(ids)).all(at.connection()).await?;
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

fn row_of(account: &AccountId, used: &Used, at: Timestamp) -> ActiveModel {
    let Used { caller, request, method, fingerprint, revision, results } = used;
    ActiveModel {
        account_id: Set(account.as_str().to_owned()),
        caller_id: Set(caller.as_str().to_owned()),
        request_id: Set(request.to_string()),
        method: Set(method.clone()),
        fingerprint: Set(fingerprint.to_vec()),
        revision: Set(revision.0),
        answer: Set(json(results)),
        created_at: Set(at.0),
    }
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
