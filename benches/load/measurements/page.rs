//! The newest leads of an owner, a page of a hundred.

use std::sync::Arc;

use anyhow::Result;

use crate::bare::packed;
use crate::calls;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::pgbench;
use crate::process::Process;
use crate::wire::LIST_BY_OWNER;
use crate::world::World;

const CALLERS: usize = 64;

/// ListByOwner by 64 callers.
pub enum Page {
    /// Strict, where another replica may have written.
    Strict,
    /// Of at least a revision that is long reached.
    AtLeast,
}

#[tonic::async_trait]
impl Measurement for Page {
    fn what(&self) -> String {
        let freshness = match self {
            Self::Strict => "strict",
            Self::AtLeast => "at_least_revision",
        };
        format!("ListByOwner, page of 100 of the large account, {CALLERS} callers, {freshness}")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.large().await?;
        let (service, shape) = (world.serve_loaded(&database, &[]).await?, database.shape);
        let consistency = match self {
            Self::Strict => None,
            Self::AtLeast => Some(calls::REACHED),
        };
        let page = LIST_BY_OWNER.call(service.channel(), calls::any_page(shape, consistency)).await?;
        let path = world.file("page");
        std::fs::write(&path, packed(&[page]))?;
        let echo = world.bare(Some(&path)).await?;
        let drive = move |server: &Arc<Process>| {
            let (server, check) = (Arc::clone(server), Arc::new(calls::full_page()));
            let call = move |channel| {
                let check = Arc::clone(&check);
                async move { calls::page(channel, shape, consistency, &check).await }
            };
            async move { Ok(closed_loop(CALLERS, world.profile.span(), &server.channels, call).await?.per_second) }
        };
        let bare = move || {
            let database = database.clone();
            async move { pgbench::run(world, &database, &[pgbench::page(1)], 16, &[]).await }
        };
        Ok(vec![
            Side::ours(move || drive(&service)),
            Side::new("pgbench, covering index, 16 clients", Goal::RatioAtLeast(2.0), bare),
            Side::new("bare tonic echo of a page", Goal::None, move || drive(&echo)),
        ])
    }
}
