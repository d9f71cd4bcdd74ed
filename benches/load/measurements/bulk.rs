//! Assigning a thousand leads at a time.

use std::slice;

use anyhow::Result;
use ownership_proto::v1::bulk_assign_item::Target;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::{BulkAssignItem, BulkAssignRequest};
use sqlx::postgres::PgPool;
use tonic::transport::Channel;

use crate::data::{account_id, any, member_id, some_leads};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::profile::Profile;
use crate::world::{Store, World};

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

impl Measurement for Bulk {
    fn what(&self) -> String {
        format!("BulkAssign, leads, {LEADS} a call, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        vec![
            Side::new("ours", Goal::None, || sample(world)),
            Side::new("one bare statement, 8 connections", Goal::RatioAtLeast(0.6), || bare(world)),
        ]
    }
}

async fn sample(world: &World) -> Result<f64> {
    let service = world.serve_loaded(Store::Postgres, &[]).await?;
    let profile = world.profile;
    let call = move |channel| bulk(channel, profile);
    Ok(closed_loop(CALLERS, (profile.warm, profile.time), &service.channels, call).await?.per_second)
}

async fn bulk(channel: Channel, profile: Profile) -> Result<u64> {
    let item = |lead_id| {
        let target = Some(Target::OwnerId(member_id(any(profile.owners()))));
        BulkAssignItem { lead_id, target, precondition: None }
    };
    let request = BulkAssignRequest {
        account_id: account_id(any(profile.accounts)),
        items: some_leads(&profile, LEADS).into_iter().map(item).collect(),
        ..BulkAssignRequest::default()
    };
    let answer = OwnershipServiceClient::new(channel).bulk_assign(request).await?.into_inner();
    let tally = answer.tally.unwrap_or_default();
    Ok(u64::try_from(tally.assigned + tally.reassigned)?)
}

async fn bare(world: &World) -> Result<f64> {
    let profile = world.profile;
    let call = move |pool: PgPool| async move {
        let owners: Vec<_> = (0..LEADS).map(|_| member_id(any(profile.owners()))).collect();
        let account = account_id(any(profile.accounts));
        let statement = sqlx::query(SQL).bind(account).bind(some_leads(&profile, LEADS)).bind(owners);
        Ok(statement.execute(&pool).await?.rows_affected())
    };
    Ok(closed_loop(CALLERS, (profile.warm, profile.time), slice::from_ref(&world.pool), call).await?.per_second)
}
