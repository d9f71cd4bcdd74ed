//! Leads as they are now.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::entity::lead::{ActiveModel, Column, Entity, Model};
use super::facts::json;
use super::{Error, Readable, Tx, dialect};
use crate::domain::actor::Source;
use crate::domain::ids::{AccountId, LeadId, MemberId, Revision};
use crate::domain::lead::{Lead, Ownership, Projection};
use crate::domain::time::Timestamp;

/// Parameters of one row.
const COLUMNS: usize = 12;

/// Writes leads as they are now.
#[tracing::instrument(level = "debug", skip_all, fields(leads = leads.len()))]
pub async fn put(tx: &Tx, account: &AccountId, leads: &[Lead]) -> Result<(), Error> {
    let replace = OnConflict::columns([Column::AccountId, Column::LeadId])
        .update_columns([
            Column::OwnerId,
            Column::OwnerSince,
            Column::Revision,
            Column::Stage,
            Column::StageEnteredAt,
            Column::Closed,
            Column::CreatedAt,
            Column::Source,
            Column::Attributes,
            Column::ObservedAt,
        ])
        .to_owned();
    let chunk = dialect::max_parameters(tx.inner.get_database_backend()) / COLUMNS;
    for leads in leads.chunks(chunk) {
        let rows = leads.iter().map(|lead| row_of(account, lead));
        Entity::insert_many(rows).on_conflict(replace.clone()).exec_without_returning(&tx.inner).await?;
    }
    Ok(())
}

/// Takes out leads that are no longer known.
#[tracing::instrument(level = "debug", skip_all, fields(leads = leads.len()))]
pub async fn forget(tx: &Tx, account: &AccountId, leads: &[LeadId]) -> Result<(), Error> {
    let chunk = dialect::max_parameters(tx.inner.get_database_backend()) / 2;
    for leads in leads.chunks(chunk) {
        Entity::delete_many()
            .filter(Column::AccountId.eq(account.as_str()))
            .filter(Column::LeadId.is_in(leads.iter().map(LeadId::as_str)))
            .exec(&tx.inner)
            .await?;
    }
    Ok(())
}

/// Up to `limit` leads of an account by id, after one of them.
pub async fn page(
    at: &impl Readable,
    account: &AccountId,
    after: Option<&LeadId>,
    limit: u64,
) -> Result<Vec<Lead>, Error> {
    let rows = Entity::in_account(account)
        .filter(Column::LeadId.gt(after.map_or("", LeadId::as_str)))
        .order_by_asc(Column::LeadId)
        .limit(limit)
        .all(at.connection())
        .await?;
    rows.into_iter().map(lead_of).collect()
}

fn row_of(account: &AccountId, lead: &Lead) -> ActiveModel {
    let Lead { ownership, projection } = lead;
    ActiveModel {
        account_id: Set(account.as_str().to_owned()),
        lead_id: Set(ownership.lead.as_str().to_owned()),
        owner_id: Set(ownership.owner.as_ref().map(|owner| owner.as_str().to_owned())),
        owner_since: Set(ownership.since.0),
        revision: Set(ownership.revision.0),
        stage: Set(projection.stage.clone()),
        stage_entered_at: Set(projection.stage_entered_at.0),
        closed: Set(projection.closed),
        created_at: Set(projection.created_at.0),
        source: Set(projection.source.as_str().to_owned()),
        attributes: Set(json(&projection.attributes)),
        observed_at: Set(projection.observed_at.0),
    }
}

fn lead_of(row: Model) -> Result<Lead, Error> {
    let unreadable =
        |what: &str| Error::Unreadable { table: "lead", what: format!("{what} at {}/{}", row.account_id, row.lead_id) };
    Ok(Lead {
        ownership: Ownership {
            lead: LeadId::parse(&row.lead_id).map_err(|_| unreadable("lead_id"))?,
            owner: row.owner_id.as_deref().map(MemberId::parse).transpose().map_err(|_| unreadable("owner_id"))?,
            since: Timestamp(row.owner_since),
            revision: Revision(row.revision),
        },
        projection: Projection {
            stage_entered_at: Timestamp(row.stage_entered_at),
            closed: row.closed,
            created_at: Timestamp(row.created_at),
            source: Source::from_word(&row.source).ok_or_else(|| unreadable("source"))?,
            attributes: serde_json::from_str(&row.attributes).map_err(|_| unreadable("attributes"))?,
            observed_at: Timestamp(row.observed_at),
            stage: row.stage,
        },
    })
}
