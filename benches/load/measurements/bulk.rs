//! Assigning a thousand leads at a time.

use std::slice;

use anyhow::{Result, ensure};
use ownership_proto::v1::bulk_assign_item::Target;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::{BulkAssignItem, BulkAssignRequest};
use sqlx::postgres::PgPool;
use tonic::transport::Channel;

use crate::data::{Shape, any_member};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::world::{Database, Store, World};

const CALLERS: usize = 8;
const LEADS: usize = 1_000;

/// The same writes as one statement: the head under lock, the leads, the log.
const SQL: &str = "with head as (update account_head set revision = revision + 1, \
       changed_at = (extract(epoch from clock_timestamp()) * 1000000)::bigint where account_id = $1 \
       returning account_id, revision, changed_at), \
     target as (select lead_id, owner_id, place::int - 1 as ordinal \
       from unnest($2::text[], $3::text[]) with ordinality as target(lead_id, owner_id, place)), \
     before as (select lead.lead_id, nullif(lead.owner_id, target.owner_id) as owner_id from lead, target \
       where lead.account_id = $1 and lead.lead_id = target.lead_id), \
     changed as (update lead set owner_id = target.owner_id, owner_since = head.changed_at, revision = head.revision \
       from head, target where lead.account_id = $1 and lead.lead_id = target.lead_id \
       returning lead.lead_id, lead.owner_id, target.ordinal) \
     insert into fact (account_id, revision, ordinal, kind, lead_id, previous_owner_id, owner_id, occurred_at, caller_id, \
       source, reason) \
     select head.account_id, head.revision, changed.ordinal, \
       case when before.owner_id is null then 'assigned' else 'reassigned' end, \
       changed.lead_id, before.owner_id, changed.owner_id, head.changed_at, 'anonymous', 'api', '' \
     from head, changed, before where before.lead_id = changed.lead_id";

/// BulkAssign by eight callers.
pub struct Bulk;

#[tonic::async_trait]
impl Measurement for Bulk {
    fn what(&self) -> String {
        format!("BulkAssign, leads, 1,000 a call, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let (database, bare_database) = (world.many(Store::Postgres).await?, world.many(Store::Postgres).await?);
        Ok(vec![
            Side::ours(move || sample(world, database.clone())),
            Side::new("one bare statement, 8 connections", Goal::RatioAtLeast(0.6), move || {
                bare(world, bare_database.clone())
            }),
        ])
    }
}

async fn sample(world: &World, database: Database) -> Result<f64> {
    let service = world.serve_loaded(&database, &[]).await?;
    let call = move |channel| bulk(channel, database.shape);
    Ok(closed_loop(CALLERS, world.profile.span(), &service.channels, call).await?.per_second)
}

async fn bulk(channel: Channel, shape: Shape) -> Result<u64> {
    let item = |lead_id| BulkAssignItem { lead_id, target: Some(Target::OwnerId(any_member())), precondition: None };
    let request = BulkAssignRequest {
        account_id: shape.any_account(),
        items: shape.some_leads(LEADS).into_iter().map(item).collect(),
        ..BulkAssignRequest::default()
    };
    let answer = OwnershipServiceClient::new(channel).bulk_assign(request).await?.into_inner();
    let tally = answer.tally.unwrap_or_default();
    Ok(u64::try_from(tally.assigned + tally.reassigned)?)
}

async fn bare(world: &World, database: Database) -> Result<f64> {
    let (pool, shape) = (database.pool()?, database.shape);
    let call = move |pool: PgPool| async move {
        let owners: Vec<_> = (0..LEADS).map(|_| any_member()).collect();
        let statement = sqlx::query(SQL).bind(shape.any_account()).bind(shape.some_leads(LEADS)).bind(owners);
        let rows = statement.execute(&pool).await?.rows_affected();
        ensure!(rows > 0, "nothing was written");
        Ok(rows)
    };
    Ok(closed_loop(CALLERS, world.profile.span(), slice::from_ref(&pool), call).await?.per_second)
}
