//! What the service takes by itself: memory, time to start, room on the disk.

use std::time::Duration;

use anyhow::{Result, ensure};
use ownership_proto::v1::list_by_owner_request::Owner;
use ownership_proto::v1::{CountByOwnerRequest, LeadFilter, LeadOrder, ListByOwnerRequest, ListByOwnerResponse};
use prost::Message;

use crate::data::{STAGES, account_id, any_member};
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::process::Process;
use crate::wire::{COUNT_BY_OWNER, HEALTH, LIST_BY_OWNER, encoded};
use crate::world::{Store, World, first_use};

pub const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One of the things it takes.
#[derive(Debug, Clone, Copy)]
pub enum Footprint {
    /// Resident memory for one lead.
    Lead,
    /// Resident memory without any account.
    Empty,
    /// From the start until it says that it serves.
    Start,
    /// The program's file.
    Binary,
}

#[tonic::async_trait]
impl Measurement for Footprint {
    fn what(&self) -> String {
        let what = match self {
            Self::Lead => "resident memory of a lead with an id of 36 characters, listed in every order",
            Self::Empty => "resident memory without any account",
            Self::Start => "start until SERVING",
            Self::Binary => "size of the program",
        };
        what.to_owned()
    }

    fn unit(&self) -> Unit {
        match self {
            Self::Lead => Unit::Bytes,
            Self::Start => Unit::Millis,
            Self::Empty | Self::Binary => Unit::Mebibytes,
        }
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let goal = match self {
            Self::Lead => 200.0,
            Self::Start => 1_000.0,
            Self::Empty | Self::Binary => 40.0,
        };
        Ok(vec![Side::new("ours", Goal::AtMost(goal), || self.sample(world))])
    }
}

impl Footprint {
    async fn sample(self, world: &World) -> Result<f64> {
        match self {
            Self::Lead => lead(world).await,
            Self::Empty => {
                let service = world.serve(&world.many(Store::Postgres).await?, &[]).await?;
                Ok(service.resident_bytes()? / MEBIBYTE)
            }
            Self::Start => {
                let service = world.serve(&world.many(Store::Postgres).await?, &[]).await?;
                serving(&service).await?;
                Ok(service.began.elapsed().as_secs_f64() * 1_000.0)
            }
            Self::Binary => Ok(std::fs::metadata(env!("CARGO_BIN_EXE_ownership"))?.len() as f64 / MEBIBYTE),
        }
    }
}

async fn serving(service: &Process) -> Result<()> {
    // As it stands on the wire: the first field, SERVING.
    while HEALTH.call(service.channel(), prost::bytes::Bytes::new()).await?.as_ref() != [8, 1] {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Everything that answers questions about a lead, also what is only made when it is asked for.
async fn lead(world: &World) -> Result<f64> {
    let database = world.large().await?;
    let service = world.serve(&database, &[]).await?;
    let before = service.resident_bytes()?;
    first_use(&service, 0).await?;
    for order in (0..).map_while(|order| LeadOrder::try_from(order).ok()) {
        let stage = LeadFilter { stages: vec![STAGES[0].to_owned()], ..LeadFilter::default() };
        for (owner, filter) in
            [(Owner::Any(()), None), (Owner::OwnerId(any_member()), None), (Owner::Any(()), Some(stage))]
        {
            let request = ListByOwnerRequest {
                account_id: account_id(0),
                owner: Some(owner),
                filter,
                order: order.into(),
                ..ListByOwnerRequest::default()
            };
            let answer = LIST_BY_OWNER.call(service.channel(), encoded(&request)).await?;
            ensure!(!ListByOwnerResponse::decode(answer)?.leads.is_empty(), "an empty list");
        }
    }
    let request = CountByOwnerRequest { account_id: account_id(0), ..CountByOwnerRequest::default() };
    COUNT_BY_OWNER.call(service.channel(), encoded(&request)).await?;
    // What was needed to load and to sort goes back to the system in a moment.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok((service.resident_bytes()? - before) / database.shape.leads as f64)
}
