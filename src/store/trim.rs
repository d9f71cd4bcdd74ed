//! Deleting what need not be kept.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::entity::fact::{Column, Entity};
use super::facts::{LEAD_UPDATED, OWNER_CHANGES, is_published};
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Revision};

impl Tx {
    /// Deletes updates of leads before a revision. That of the revision itself stays, so that the log tells when it was. Owner
    /// changes stay, for they are history, and so does what was told of overdue leads; members and settings do, for a sender as of
    /// an earlier moment is made of them.
    pub async fn trim_updates(&self, account: &AccountId, until: Revision) -> Result<u64, Error> {
        let deleted = Entity::delete_many()
            .filter(Column::AccountId.eq(account.as_str()))
            .filter(Column::Revision.lt(until.0))
            .filter(Column::Kind.eq(LEAD_UPDATED))
            .filter(Column::Notice.is_null())
            .exec(&self.inner)
            .await?;
        Ok(deleted.rows_affected)
    }

    /// Deletes owner changes before a revision, except the last of each lead, and what was told of it since: how things stood at that
    /// revision stays known.
    pub async fn trim_history(&self, account: &AccountId, until: Revision) -> Result<u64, Error> {
        let newer = Alias::new("newer");
        let of_newer = |column: Column| Expr::col((newer.clone(), column));
        let of_fact = |column: Column| Expr::col((Entity, column));
        let superseded = Query::select()
            .expr(Expr::value(1))
            .from_as(Entity, newer.clone())
            .and_where(of_newer(Column::AccountId).eq(account.as_str()))
            .and_where(of_newer(Column::LeadId).equals((Entity, Column::LeadId)))
            .and_where(of_newer(Column::Revision).gt(of_fact(Column::Revision)))
            .and_where(of_newer(Column::Revision).lte(until.0))
            .and_where(of_newer(Column::Kind).is_in(OWNER_CHANGES))
            .to_owned();
        let deleted = Entity::delete_many()
            .filter(Column::AccountId.eq(account.as_str()))
            .filter(Column::Revision.lt(until.0))
            .filter(is_published())
            .filter(Expr::exists(superseded))
            .exec(&self.inner)
            .await?;
        Ok(deleted.rows_affected)
    }
}
