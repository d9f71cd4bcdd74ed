//! Asking for the owner of one lead.

use anyhow::Result;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::{Consistency, GetOwnerRequest, consistency};
use tonic::transport::Channel;

use crate::data::{account_id, any, lead_id};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::profile::Profile;
use crate::world::{Store, World};

const CALLERS: usize = 64;

/// How fresh the answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Strict, where another replica may have written.
    StrictAmongTwo,
    /// Strict, where nobody else can have.
    StrictAlone,
    /// At least a revision that is long reached.
    AtLeast,
}

/// GetOwner by 64 callers.
pub struct Owner {
    pub store: Store,
    pub freshness: Freshness,
}

impl Measurement for Owner {
    fn what(&self) -> String {
        let freshness = match self.freshness {
            Freshness::StrictAmongTwo => "strict, one of two replicas",
            Freshness::StrictAlone => "strict, only replica",
            Freshness::AtLeast => "at_least_revision",
        };
        format!("GetOwner, {CALLERS} callers, {freshness}, {:?}", self.store)
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        let least = if self.freshness == Freshness::StrictAmongTwo { 0.6 } else { 0.85 };
        vec![
            Side::new("ours", Goal::None, || self.sample(world)),
            Side::new("bare tonic echo", Goal::RatioAtLeast(least), || self.bare(world)),
        ]
    }
}

impl Owner {
    async fn sample(&self, world: &World) -> Result<f64> {
        let service = world.serve_loaded(self.store, &[]).await?;
        // Holds the accounts in memory too, as a second replica does.
        let _other = match self.freshness {
            Freshness::StrictAmongTwo => Some(world.serve_loaded(self.store, &[]).await?),
            Freshness::StrictAlone | Freshness::AtLeast => None,
        };
        self.drive(world, &service.channels).await
    }

    async fn bare(&self, world: &World) -> Result<f64> {
        let echo = world.bare().await?;
        self.drive(world, &echo.channels).await
    }

    async fn drive(&self, world: &World, channels: &[Channel]) -> Result<f64> {
        let (profile, consistency) = (world.profile, self.consistency());
        let call = move |channel| get(channel, any(profile.accounts), profile, consistency);
        Ok(closed_loop(CALLERS, (profile.warm, profile.time), channels, call).await?.per_second)
    }

    fn consistency(&self) -> Option<Consistency> {
        let level = Some(consistency::Level::AtLeastRevision(1));
        (self.freshness == Freshness::AtLeast).then_some(Consistency { level })
    }
}

/// Asks for the owner of any lead of an account.
pub async fn get(channel: Channel, account: usize, profile: Profile, consistency: Option<Consistency>) -> Result<u64> {
    let request = GetOwnerRequest {
        account_id: account_id(account),
        lead_id: lead_id(any(profile.leads_per_account())),
        consistency,
        ..GetOwnerRequest::default()
    };
    OwnershipServiceClient::new(channel).get_owner(request).await?;
    Ok(1)
}
