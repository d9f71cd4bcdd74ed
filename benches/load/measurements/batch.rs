//! Owners and senders of a thousand leads at a time.

use std::sync::Arc;

use anyhow::Result;

use crate::calls;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::pgbench;
use crate::wire::{BATCH_GET_OWNERS, Check, RESOLVE_SENDERS};
use crate::world::{Store, World};

const CALLERS: usize = 16;
const LEADS: usize = 1_000;
/// Different lists of leads: the same on both sides.
const LISTS: usize = 32;

/// What is asked of each lead.
#[derive(Debug, Clone, Copy)]
pub enum Batch {
    Owners,
    Senders,
}

#[tonic::async_trait]
impl Measurement for Batch {
    fn what(&self) -> String {
        let method = match self {
            Self::Owners => "BatchGetOwners",
            Self::Senders => "ResolveSenders",
        };
        format!("{method}, leads, 1,000 a call, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.many(Store::Postgres).await?;
        let service = world.serve_loaded(&database, &[]).await?;
        let lists = calls::lists(database.shape, LISTS, LEADS);
        let (method, requests, statement) = match self {
            Self::Owners => (BATCH_GET_OWNERS, calls::for_owners(&lists), pgbench::OWNERS_OF),
            Self::Senders => (RESOLVE_SENDERS, calls::for_senders(&lists), pgbench::SENDERS_OF),
        };
        let ours = move || {
            let (service, requests, check) = (Arc::clone(&service), Arc::clone(&requests), Arc::new(self.check()));
            let call = move |channel| {
                let (request, check) = (calls::any_of(&requests), Arc::clone(&check));
                async move { check.items(&method.call(channel, request).await?) }
            };
            async move { Ok(closed_loop(CALLERS, world.profile.span(), &service.channels, call).await?.per_second) }
        };
        let bare = move || {
            let (database, (scripts, lists)) = (database.clone(), pgbench::about(statement, &lists, 1));
            async move { Ok(pgbench::run(world, &database, &scripts, BARE_CLIENTS, &lists).await? * LEADS as f64) }
        };
        Ok(vec![Side::ours(ours), Side::new(BARE, Goal::RatioAtLeast(5.0), bare)])
    }
}

/// As many as were found to be quickest.
const BARE_CLIENTS: u32 = 8;
const BARE: &str = "pgbench, bare statement, array of the same ids, 8 clients";

impl Batch {
    fn check(self) -> Check {
        match self {
            Self::Owners => calls::all_owned(),
            Self::Senders => calls::all_sent(),
        }
    }
}
