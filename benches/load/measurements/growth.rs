//! One account as it grows.

use std::sync::Arc;

use anyhow::Result;

use crate::calls;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Row, Side, Unit};
use crate::process::Process;
use crate::report::grouped;
use crate::world::{Database, World};

const CALLERS: usize = 64;
const CALLS: [Call; 3] = [Call::Assign, Call::GetOwner, Call::Page];

#[derive(Debug, Clone, Copy)]
enum Call {
    Assign,
    GetOwner,
    Page,
}

/// Assign, GetOwner and a page, on accounts of each size.
pub struct Growth;

#[tonic::async_trait]
impl Measurement for Growth {
    fn what(&self) -> String {
        "growth of one account".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::Millis
    }

    /// All calls on the smallest account, then on the next.
    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let mut sides = Vec::new();
        for leads in world.profile.growth {
            let database = world.one(*leads).await?;
            let service = world.serve_loaded(&database, &[]).await?;
            for call in CALLS {
                let (database, service) = (database.clone(), Arc::clone(&service));
                sides.push(Side::new(format!("{call:?}, {} leads", grouped(*leads)), Goal::None, move || {
                    sample(world, call, database.clone(), Arc::clone(&service))
                }));
            }
        }
        Ok(sides)
    }

    fn rows(&self, sides: &[Side<'_>], samples: &[Vec<f64>]) -> Vec<Row> {
        let (smallest, limits) = (&sides[..CALLS.len()], &samples[..CALLS.len()]);
        let larger = sides.iter().zip(samples).enumerate().skip(CALLS.len());
        let row = |(place, (side, ours)): (usize, (&Side<'_>, &Vec<f64>))| {
            let call = place % CALLS.len();
            let what = format!("growth: {} in one account, {CALLERS} callers, p50", side.name);
            let (_, size) = smallest[call].name.split_once(", ").unwrap_or_default();
            Row::compared(what, self.unit(), Goal::RatioAtMost(1.2), (ours, size, &limits[call]))
        };
        larger.map(row).collect()
    }
}

async fn sample(world: &World, call: Call, database: Database, service: Arc<Process>) -> Result<f64> {
    let shape = database.shape;
    let (owner, page) = (Arc::new(calls::one_owner()), Arc::new(calls::full_page()));
    let call = move |channel| {
        let (owner, page) = (Arc::clone(&owner), Arc::clone(&page));
        async move {
            match call {
                Call::Assign => calls::assign(channel, shape).await,
                Call::GetOwner => calls::get(channel, shape, None, &owner).await,
                Call::Page => calls::page(channel, shape, None, &page).await,
            }
        }
    };
    let (warm, time) = world.profile.span();
    let load = closed_loop(CALLERS, (warm / 2, time / 2), &service.channels, call).await?;
    Ok(load.latency.value_at_quantile(0.5) as f64 / 1_000.0)
}
