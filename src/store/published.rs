//! How far accounts are published, and where in the stream that is. Written when they leave the outbox.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::published::{Column, Entity, Model};
use super::{Error, Readable};
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;

/// A place in the stream. One that was created anew is another incarnation of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// When the stream was created, in microseconds.
    pub incarnation: i64,
    /// The sequence number of a message.
    pub sequence: i64,
}

/// How far an account is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// The account.
    pub account: AccountId,
    /// The last revision that is.
    pub revision: Revision,
    /// Its place in the stream.
    pub position: Position,
    /// When it was known to be there.
    pub at: Timestamp,
}

/// How far an account is published, if it ever was.
pub async fn find(at: &impl Readable, account: &AccountId) -> Result<Option<Watermark>, Error> {
    Ok(Entity::in_account(account).one(at.connection()).await?.and_then(watermark))
}

/// Up to `limit` accounts that end in the stream between two places, and were published after a time, in the order of the stream.
pub async fn between(
    at: &impl Readable,
    (after, before): (Position, Position),
    since: Timestamp,
    limit: u64,
) -> Result<Vec<Watermark>, Error> {
    let place = || Expr::tuple([Expr::col(Column::Incarnation), Expr::col(Column::Sequence)]);
    let is = |position: Position| Expr::tuple([Expr::value(position.incarnation), Expr::value(position.sequence)]);
    let rows = Entity::find()
        .filter(place().gt(is(after)))
        .filter(place().lt(is(before)))
        .filter(Column::PublishedAt.gt(since.0))
        .order_by_asc(Column::Incarnation)
        .order_by_asc(Column::Sequence)
        .limit(limit)
        .all(at.connection())
        .await?;
    Ok(rows.into_iter().filter_map(watermark).collect())
}

/// The accounts that end in the stream with one of these messages.
pub async fn at_messages(at: &impl Readable, incarnation: i64, sequences: &[i64]) -> Result<Vec<Watermark>, Error> {
    let rows = Entity::find()
        .filter(Column::Incarnation.eq(incarnation))
        .filter(Column::Sequence.is_in(sequences.iter().copied()))
        .all(at.connection())
        .await?;
    Ok(rows.into_iter().filter_map(watermark).collect())
}

/// The furthest place in the stream that is known; the beginning if none is.
pub async fn furthest(at: &impl Readable) -> Result<Position, Error> {
    let last = Entity::find().order_by_desc(Column::Incarnation).order_by_desc(Column::Sequence).limit(1);
    let last = last.one(at.connection()).await?.and_then(watermark);
    Ok(last.map(|last| last.position).unwrap_or_default())
}

fn watermark(row: Model) -> Option<Watermark> {
    let Model { account_id, revision, incarnation, sequence, published_at } = row;
    Some(Watermark {
        account: AccountId::parse(&account_id).ok()?,
        revision: Revision(revision),
        position: Position { incarnation, sequence },
        at: Timestamp(published_at),
    })
}
