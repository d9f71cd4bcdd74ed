//! Asking for the owner of one lead.

use std::sync::Arc;

use anyhow::Result;
use ownership_proto::v1::Consistency;

use crate::calls;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::process::Process;
use crate::world::{Store, World, first_use};

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

#[tonic::async_trait]
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

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.many(self.store).await?;
        let service = world.serve_loaded(&database, &[]).await?;
        // Holds the accounts in memory too, and follows them.
        let other = match self.freshness {
            Freshness::StrictAmongTwo => Some(world.serve_loaded(&database, &[]).await?),
            Freshness::StrictAlone | Freshness::AtLeast => None,
        };
        let (shape, bare) = (database.shape, world.bare(None).await?);
        let least = if self.freshness == Freshness::StrictAmongTwo { 0.6 } else { 0.85 };
        let drive = move |server: &Arc<Process>| {
            let (server, check, consistency) = (Arc::clone(server), Arc::new(calls::one_owner()), self.consistency());
            let call = move |channel| {
                let check = Arc::clone(&check);
                async move { calls::get(channel, shape, consistency, &check).await }
            };
            async move { Ok(closed_loop(CALLERS, world.profile.span(), &server.channels, call).await?.per_second) }
        };
        let ours = move || {
            let (other, sample) = (other.clone(), drive(&service));
            async move {
                let sample = sample.await?;
                // The other replica still serves.
                if let Some(other) = other {
                    first_use(&other, 0).await?;
                }
                Ok(sample)
            }
        };
        Ok(vec![Side::ours(ours), Side::new("bare tonic echo", Goal::RatioAtLeast(least), move || drive(&bare))])
    }
}

impl Owner {
    fn consistency(&self) -> Option<Consistency> {
        (self.freshness == Freshness::AtLeast).then_some(calls::REACHED)
    }
}
