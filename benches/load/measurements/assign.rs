//! Assigning one lead after the other.

use anyhow::Result;

use crate::calls;
use crate::data::Shape;
use crate::drive::{Load, closed_loop};
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::pgbench;
use crate::world::{Database, Store, World};

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

#[tonic::async_trait]
impl Measurement for Assign {
    fn what(&self) -> String {
        let Self { store, callers, accounts, figure } = self;
        let callers = if *callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") };
        let accounts = if *accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") };
        let figure = if *figure == Figure::Median { ", p50" } else { "" };
        format!("Assign, {callers}, {accounts}, {store:?}{figure}")
    }

    fn unit(&self) -> Unit {
        match self.figure {
            Figure::Rate => Unit::PerSecond,
            Figure::Median => Unit::Millis,
        }
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let mut database = world.many(self.store).await?;
        database.shape = Shape { accounts: self.accounts, ..database.shape };
        let (off, single) = match (self.figure, self.accounts, self.store) {
            (Figure::Median, ..) => (Goal::RatioAtMost(1.3), None),
            (_, 1, _) | (.., Store::Sqlite) => (Goal::RatioAtLeast(5.0), None),
            _ => (Goal::RatioAtLeast(6.0), Some(Goal::RatioAtLeast(3.5))),
        };
        let (on, alone, bare) = (database.clone(), database.clone(), database);
        let mut sides = vec![
            Side::ours(move || self.sample(world, on.clone(), &[])),
            Side::new("batching off", off, move || self.sample(world, alone.clone(), BATCHING_OFF)),
        ];
        if let Some(goal) = single {
            sides.push(Side::new("pgbench, one statement, 64 clients", goal, move || {
                let database = bare.clone();
                async move { pgbench::run(world, &database, &[pgbench::assign(1)], 64, &[]).await }
            }));
        }
        Ok(sides)
    }
}

impl Assign {
    /// On a service of its own: one that ran beside it would follow each of its writes.
    async fn sample(&self, world: &World, database: Database, settings: &[(&str, &str)]) -> Result<f64> {
        let service = world.serve_loaded(&database, settings).await?;
        let call = move |channel| calls::assign(channel, database.shape);
        let Load { per_second, latency } =
            closed_loop(self.callers, world.profile.span(), &service.channels, call).await?;
        Ok(match self.figure {
            Figure::Rate => per_second,
            Figure::Median => latency.value_at_quantile(0.5) as f64 / 1_000.0,
        })
    }
}
