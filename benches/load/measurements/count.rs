//! Counting the leads of every owner by stage, those that have been in it for long.

use std::slice;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use ownership_proto::v1::{CountByOwnerRequest, CountByOwnerResponse, LeadFilter};
use prost::Message;
use prost_types::Duration;
use sqlx::postgres::PgPool;

use crate::data::{OWNERS, account_id, times};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::wire::{COUNT_BY_OWNER, Check, encoded};
use crate::world::World;

const CALLERS: usize = 8;

const SQL: &str = "select owner_id, stage, closed, count(*), min(owner_since) from lead where account_id = $1 \
     and stage_entered_at <= (extract(epoch from clock_timestamp()) * 1000000)::bigint - $2 \
     group by owner_id, stage, closed";

/// CountByOwner by eight callers.
pub struct Count;

#[tonic::async_trait]
impl Measurement for Count {
    fn what(&self) -> String {
        format!("CountByOwner, by stage and age over the large account, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.large().await?;
        let service = world.serve_loaded(&database, &[]).await?;
        let (pool, age) = (database.pool()?, age(database.shape.leads)?);
        let filter =
            Some(LeadFilter { min_time_in_stage: Some(Duration { seconds: age, nanos: 0 }), ..LeadFilter::default() });
        let request =
            encoded(&CountByOwnerRequest { account_id: account_id(0), filter, ..CountByOwnerRequest::default() });
        let ours = move || {
            let (service, request, check) = (Arc::clone(&service), request.clone(), Arc::new(counts()));
            let call = move |channel| {
                let (request, check) = (request.clone(), Arc::clone(&check));
                async move { check.items(&COUNT_BY_OWNER.call(channel, request).await?) }
            };
            async move { Ok(closed_loop(CALLERS, world.profile.span(), &service.channels, call).await?.per_second) }
        };
        let bare = move || {
            let pool = pool.clone();
            let call = move |pool: PgPool| async move {
                let query = sqlx::query(SQL).bind(account_id(0)).bind(age * 1_000_000);
                ensure!(query.fetch_all(&pool).await?.len() >= OWNERS, "too few counts");
                Ok(1)
            };
            async move { Ok(closed_loop(CALLERS, world.profile.span(), slice::from_ref(&pool), call).await?.per_second) }
        };
        Ok(vec![Side::ours(ours), Side::new("bare GROUP BY, 8 connections", Goal::RatioAtLeast(100.0), bare)])
    }
}

/// So many seconds that about half of the leads were in their stage for longer.
fn age(leads: usize) -> Result<i64> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    Ok(now - times(leads / 2).0)
}

fn counts() -> Check {
    Check::new(|answer| {
        // Nobody's leads come first, though there are none.
        let owners = CountByOwnerResponse::decode(answer)?.counts.len();
        ensure!(owners == OWNERS + 1, "the counts of {owners} owners");
        Ok(1)
    })
}
