//! Counting the leads of every owner by stage and age.

use std::slice;

use anyhow::Result;
use ownership_proto::v1::CountByOwnerRequest;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use sqlx::postgres::PgPool;
use tonic::transport::Channel;

use crate::data::{account_id, any};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::profile::Profile;
use crate::world::{Store, World};

const CALLERS: usize = 8;

const SQL: &str = "select owner_id, stage, closed, count(*), min(owner_since) from lead where account_id = $1 \
     group by owner_id, stage, closed";

/// CountByOwner by eight callers.
pub struct Count;

impl Measurement for Count {
    fn what(&self) -> String {
        format!("CountByOwner, all owners of an account, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        vec![
            Side::new("ours", Goal::None, || sample(world)),
            Side::new("bare GROUP BY, 8 connections", Goal::RatioAtLeast(100.0), || bare(world)),
        ]
    }
}

async fn sample(world: &World) -> Result<f64> {
    let service = world.serve_loaded(Store::Postgres, &[]).await?;
    let profile = world.profile;
    let call = move |channel| count(channel, profile);
    Ok(closed_loop(CALLERS, (profile.warm, profile.time), &service.channels, call).await?.per_second)
}

async fn count(channel: Channel, profile: Profile) -> Result<u64> {
    let account_id = account_id(any(profile.accounts));
    let request = CountByOwnerRequest { account_id, page_size: 1_000, ..CountByOwnerRequest::default() };
    OwnershipServiceClient::new(channel).count_by_owner(request).await?;
    Ok(1)
}

async fn bare(world: &World) -> Result<f64> {
    let profile = world.profile;
    let call = move |pool: PgPool| async move {
        sqlx::query(SQL).bind(account_id(any(profile.accounts))).fetch_all(&pool).await?;
        Ok(1)
    };
    Ok(closed_loop(CALLERS, (profile.warm, profile.time), slice::from_ref(&world.pool), call).await?.per_second)
}
