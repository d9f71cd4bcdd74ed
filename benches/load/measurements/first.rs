//! The first use of an account, which loads it.

use std::time::Instant;

use anyhow::Result;

use crate::copy::copy;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::world::{World, first_use};

/// What a book is made of.
const COPY: &str = "copy (select lead_id, owner_id, owner_since, revision, stage, stage_entered_at, closed, created_at, \
     source, attributes, observed_at from lead where account_id = 'bench0') to stdout";

/// GetOwner on a service that has just started.
pub struct FirstUse;

#[tonic::async_trait]
impl Measurement for FirstUse {
    fn what(&self) -> String {
        "first use of the large account: GetOwner after a start".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::Millis
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let (ours, theirs) = (world.large().await?, world.large().await?);
        Ok(vec![
            Side::ours(move || {
                let database = ours.clone();
                async move {
                    let service = world.serve(&database, &[]).await?;
                    let began = Instant::now();
                    first_use(&service, 0).await?;
                    Ok(began.elapsed().as_secs_f64() * 1_000.0)
                }
            }),
            Side::new("COPY (same rows) TO STDOUT", Goal::RatioAtMost(3.0), move || {
                let database = theirs.clone();
                async move { Ok(copy(world, &database, COPY).await?.as_secs_f64() * 1_000.0) }
            }),
        ])
    }
}
