//! The newest leads of an owner, a page of a hundred.

use anyhow::{Result, ensure};
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::{LeadOrder, ListByOwnerRequest, list_by_owner_request};
use tonic::transport::Channel;

use crate::data::{account_id, any, member_id};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::pgbench;
use crate::profile::Profile;
use crate::world::{Store, World};

const CALLERS: usize = 64;

/// ListByOwner by 64 callers.
pub struct Page;

impl Measurement for Page {
    fn what(&self) -> String {
        format!("ListByOwner, page of 100, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        vec![
            Side::new("ours", Goal::None, || sample(world)),
            Side::new("pgbench, covering index, 16 clients", Goal::RatioAtLeast(2.0), || async {
                pgbench::run(world, &[pgbench::page(1)], 16).await
            }),
        ]
    }
}

async fn sample(world: &World) -> Result<f64> {
    let service = world.serve_loaded(Store::Postgres, &[]).await?;
    let profile = world.profile;
    let call = move |channel| async move {
        let leads = page(channel, profile).await?;
        ensure!(leads == 100, "a page of {leads} leads");
        Ok(1)
    };
    Ok(closed_loop(CALLERS, (profile.warm, profile.time), &service.channels, call).await?.per_second)
}

/// Asks for a page of any owner; how many leads it has.
pub async fn page(channel: Channel, profile: Profile) -> Result<usize> {
    let request = ListByOwnerRequest {
        account_id: account_id(any(profile.accounts)),
        owner: Some(list_by_owner_request::Owner::OwnerId(member_id(any(profile.owners())))),
        order: LeadOrder::CreatedDesc.into(),
        page_size: 100,
        ..ListByOwnerRequest::default()
    };
    Ok(OwnershipServiceClient::new(channel).list_by_owner(request).await?.into_inner().leads.len())
}
