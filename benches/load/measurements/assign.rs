//! Assigning one lead after the other.

use anyhow::Result;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::{AssignRequest, Outcome};
use tonic::transport::Channel;

use crate::data::{account_id, any, lead_id, member_id};
use crate::drive::{Load, closed_loop};
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::pgbench;
use crate::profile::Profile;
use crate::world::{Store, World};

/// Every write by itself.
const BATCHING_OFF: &[(&str, &str)] = &[("door.max_batch", "1")];

/// Which figure of a load counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Rate,
    Median,
}

/// Assigns by some callers in some accounts.
pub struct Assign {
    pub store: Store,
    pub callers: usize,
    pub accounts: usize,
    pub figure: Figure,
}

impl Measurement for Assign {
    fn what(&self) -> String {
        let Self { store, callers, accounts, figure } = self;
        let figure = if *figure == Figure::Median { ", p50" } else { "" };
        format!("Assign, {callers} callers, {accounts} accounts, {store:?}{figure}")
    }

    fn unit(&self) -> Unit {
        match self.figure {
            Figure::Rate => Unit::PerSecond,
            Figure::Median => Unit::Millis,
        }
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        let (off, single) = match (self.figure, self.accounts, self.store) {
            (Figure::Median, ..) => (Goal::RatioAtMost(1.3), None),
            (_, 1, _) | (.., Store::Sqlite) => (Goal::RatioAtLeast(5.0), None),
            _ => (Goal::RatioAtLeast(6.0), Some(Goal::RatioAtLeast(3.5))),
        };
        let mut sides = vec![
            Side::new("ours", Goal::None, || self.sample(world, &[])),
            Side::new("batching off", off, || self.sample(world, BATCHING_OFF)),
        ];
        if let Some(goal) = single {
            let statement = || async { pgbench::run(world, &[pgbench::assign(1)], 64).await };
            sides.push(Side::new("pgbench, one statement, 64 clients", goal, statement));
        }
        sides
    }
}

impl Assign {
    async fn sample(&self, world: &World, settings: &[(&str, &str)]) -> Result<f64> {
        let service = world.serve_loaded(self.store, settings).await?;
        let (profile, accounts) = (world.profile, self.accounts);
        let call = move |channel| assign(channel, accounts, profile);
        let Load { per_second, latency } =
            closed_loop(self.callers, (profile.warm, profile.time), &service.channels, call).await?;
        Ok(match self.figure {
            Figure::Rate => per_second,
            Figure::Median => latency.value_at_quantile(0.5) as f64 / 1_000.0,
        })
    }
}

/// Gives any lead of one of the first accounts to any owner. Counts if it had another one.
pub async fn assign(channel: Channel, accounts: usize, profile: Profile) -> Result<u64> {
    let request = AssignRequest {
        account_id: account_id(any(accounts)),
        lead_id: lead_id(any(profile.leads_per_account())),
        owner_id: member_id(any(profile.owners())),
        ..AssignRequest::default()
    };
    let answer = OwnershipServiceClient::new(channel).assign(request).await?.into_inner();
    Ok(u64::from(answer.outcome() != Outcome::Unchanged))
}
