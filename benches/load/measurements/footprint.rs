//! What the service takes by itself: memory, time to start, room on the disk.

use anyhow::Result;

use super::owner::get;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::world::{Store, World};

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One of the things it takes.
#[derive(Debug, Clone, Copy)]
pub enum Footprint {
    /// Resident memory for one lead.
    Lead,
    /// Resident memory without any account.
    Empty,
    /// From the start until calls are accepted.
    Start,
    /// The program's file.
    Binary,
}

impl Measurement for Footprint {
    fn what(&self) -> String {
        let what = match self {
            Self::Lead => "resident memory of a lead with an id of 36 characters",
            Self::Empty => "resident memory without any account",
            Self::Start => "start until calls are accepted",
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

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        let goal = match self {
            Self::Lead => 200.0,
            Self::Start => 1_000.0,
            Self::Empty | Self::Binary => 40.0,
        };
        vec![Side::new("ours", Goal::AtMost(goal), || self.sample(world))]
    }
}

impl Footprint {
    async fn sample(self, world: &World) -> Result<f64> {
        let service = world.serve(Store::Postgres, &[]).await?;
        Ok(match self {
            Self::Empty => service.resident_bytes()? / MEBIBYTE,
            Self::Start => service.start.as_secs_f64() * 1_000.0,
            Self::Binary => std::fs::metadata(env!("CARGO_BIN_EXE_ownership"))?.len() as f64 / MEBIBYTE,
            Self::Lead => {
                let before = service.resident_bytes()?;
                for account in 0..world.profile.accounts {
                    get(service.channels[0].clone(), account, world.profile, None).await?;
                }
                (service.resident_bytes()? - before) / world.profile.leads as f64
            }
        })
    }
}
