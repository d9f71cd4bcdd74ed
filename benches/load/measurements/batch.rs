//! Owners and senders of a thousand leads at a time.

use std::slice;

use anyhow::Result;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::{BatchGetOwnersRequest, ResolveSendersRequest};
use sqlx::postgres::PgPool;
use tonic::transport::Channel;

use crate::data::{account_id, any, some_leads};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::profile::Profile;
use crate::world::{Store, World};

const CALLERS: usize = 16;
const LEADS: usize = 1_000;

const OWNERS_SQL: &str =
    "select lead_id, owner_id, owner_since, revision from lead where account_id = $1 and lead_id = any($2)";
const SENDERS_SQL: &str = "select lead.lead_id, member.member_id, member.display_name, member.email from lead \
     left join member on member.account_id = lead.account_id and member.member_id = lead.owner_id \
     and member.standing <> 'inactive' where lead.account_id = $1 and lead.lead_id = any($2)";

/// What is asked of each lead.
#[derive(Debug, Clone, Copy)]
pub enum Batch {
    Owners,
    Senders,
}

impl Measurement for Batch {
    fn what(&self) -> String {
        let method = match self {
            Self::Owners => "BatchGetOwners",
            Self::Senders => "ResolveSenders",
        };
        format!("{method}, leads, {LEADS} a call, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        vec![
            Side::new("ours", Goal::None, || self.sample(world)),
            Side::new("bare statement, 16 connections", Goal::RatioAtLeast(5.0), || self.bare(world)),
        ]
    }
}

impl Batch {
    async fn sample(self, world: &World) -> Result<f64> {
        let service = world.serve_loaded(Store::Postgres, &[]).await?;
        let profile = world.profile;
        let call = move |channel| async move {
            match self {
                Self::Owners => owners(channel, profile).await,
                Self::Senders => senders(channel, profile, LEADS).await,
            }
        };
        Ok(closed_loop(CALLERS, (profile.warm, profile.time), &service.channels, call).await?.per_second)
    }

    async fn bare(self, world: &World) -> Result<f64> {
        let profile = world.profile;
        let sql = match self {
            Self::Owners => OWNERS_SQL,
            Self::Senders => SENDERS_SQL,
        };
        let call = move |pool: PgPool| async move {
            let query = sqlx::query(sql).bind(account_id(any(profile.accounts))).bind(some_leads(&profile, LEADS));
            Ok(query.fetch_all(&pool).await?.len() as u64)
        };
        Ok(closed_loop(CALLERS, (profile.warm, profile.time), slice::from_ref(&world.pool), call).await?.per_second)
    }
}

async fn owners(channel: Channel, profile: Profile) -> Result<u64> {
    let request = BatchGetOwnersRequest {
        account_id: account_id(any(profile.accounts)),
        lead_ids: some_leads(&profile, LEADS),
        ..BatchGetOwnersRequest::default()
    };
    Ok(OwnershipServiceClient::new(channel).batch_get_owners(request).await?.into_inner().ownerships.len() as u64)
}

/// Asks who sends to some leads of any account; how many were answered for.
pub async fn senders(channel: Channel, profile: Profile, leads: usize) -> Result<u64> {
    let request = ResolveSendersRequest {
        account_id: account_id(any(profile.accounts)),
        lead_ids: some_leads(&profile, leads),
        ..ResolveSendersRequest::default()
    };
    Ok(OwnershipServiceClient::new(channel).resolve_senders(request).await?.into_inner().resolutions.len() as u64)
}
