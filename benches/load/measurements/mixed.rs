//! What a busy team does: mostly looking, sometimes assigning.

use std::sync::Arc;

use anyhow::Result;
use tonic::transport::Channel;

use crate::calls::{self, Requests};
use crate::data::{Shape, any};
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::pgbench;
use crate::wire::Check;
use crate::world::{Store, World};

const CALLERS: usize = 128;
/// Different lists of leads whose senders are asked for: the same on both sides.
const LISTS: usize = 32;

/// 20 % Assign, 60 % GetOwner, 10 % ListByOwner, 10 % ResolveSenders of 100.
pub struct Mixed;

/// What all callers of a sample share.
struct Mix {
    shape: Shape,
    lists: Requests,
    owner: Check,
    page: Check,
    senders: Check,
}

#[tonic::async_trait]
impl Measurement for Mixed {
    fn what(&self) -> String {
        format!("mixed: 20% assign, 60% owner, 10% page, 10% senders of 100, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.many(Store::Postgres).await?;
        let lists = calls::lists(database.shape, LISTS, 100);
        let (requests, ours) = (calls::for_senders(&lists), database.clone());
        let ours = move || {
            let (database, lists) = (ours.clone(), Arc::clone(&requests));
            async move {
                let service = world.serve_loaded(&database, &[]).await?;
                let (owner, page, senders) = (calls::one_owner(), calls::some_page(), calls::all_sent());
                let mix = Arc::new(Mix { shape: database.shape, lists, owner, page, senders });
                let call = move |channel| any_call(channel, Arc::clone(&mix));
                Ok(closed_loop(CALLERS, world.profile.span(), &service.channels, call).await?.per_second)
            }
        };
        let bare = move || {
            let (database, (mut scripts, lists)) = (database.clone(), pgbench::about(pgbench::SENDERS_OF, &lists, 10));
            // Each of the lists has a weight of ten.
            let times = LISTS as u32;
            scripts.extend([pgbench::assign(20 * times), pgbench::owner(60 * times), pgbench::page(10 * times)]);
            async move { pgbench::run(world, &database, &scripts, 64, &lists).await }
        };
        Ok(vec![Side::ours(ours), Side::new("pgbench, the same statements, 64 clients", Goal::RatioAtLeast(4.0), bare)])
    }
}

async fn any_call(channel: Channel, mix: Arc<Mix>) -> Result<u64> {
    match any(100) {
        0..20 => drop(calls::assign(channel, mix.shape).await?),
        20..80 => drop(calls::get(channel, mix.shape, None, &mix.owner).await?),
        80..90 => drop(calls::page(channel, mix.shape, None, &mix.page).await?),
        _ => drop(calls::senders(channel, &mix.lists, &mix.senders).await?),
    }
    Ok(1)
}
