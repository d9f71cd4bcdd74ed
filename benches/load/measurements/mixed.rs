//! What a busy team does: mostly looking, sometimes assigning.

use anyhow::Result;
use tonic::transport::Channel;

use super::assign::assign;
use super::batch::senders;
use super::owner::get;
use super::page::page;
use crate::data::any;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::pgbench;
use crate::profile::Profile;
use crate::world::{Store, World};

const CALLERS: usize = 128;

/// 20 % Assign, 60 % GetOwner, 10 % ListByOwner, 10 % ResolveSenders of 100.
pub struct Mixed;

impl Measurement for Mixed {
    fn what(&self) -> String {
        format!("mixed: 20% assign, 60% owner, 10% page, 10% senders of 100, {CALLERS} callers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        vec![
            Side::new("ours", Goal::None, || sample(world)),
            Side::new("pgbench, the same statements, 64 clients", Goal::RatioAtLeast(4.0), || async {
                let scripts = [pgbench::assign(20), pgbench::owner(60), pgbench::page(10), pgbench::senders(world, 10)];
                pgbench::run(world, &scripts, 64).await
            }),
        ]
    }
}

async fn sample(world: &World) -> Result<f64> {
    let service = world.serve_loaded(Store::Postgres, &[]).await?;
    let profile = world.profile;
    let call = move |channel| any_call(channel, profile);
    Ok(closed_loop(CALLERS, (profile.warm, profile.time), &service.channels, call).await?.per_second)
}

async fn any_call(channel: Channel, profile: Profile) -> Result<u64> {
    match any(100) {
        0..20 => drop(assign(channel, profile.accounts, profile).await?),
        20..80 => drop(get(channel, any(profile.accounts), profile, None).await?),
        80..90 => drop(page(channel, profile).await?),
        _ => drop(senders(channel, profile, 100).await?),
    }
    Ok(1)
}
