//! What waited while there was no broker, and is published when there is one.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use prost::bytes::Bytes;

use crate::broker::Broker;
use crate::calls;
use crate::data::Shape;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::process::Process;
use crate::world::{Database, World};

const WRITERS: usize = 64;
/// Messages of the bare publisher that are on their way at once.
const PIPELINED: usize = 1_000;

/// Revisions of one lead each, made without a broker.
pub struct Backlog;

#[tonic::async_trait]
impl Measurement for Backlog {
    fn what(&self) -> String {
        "events: revisions of a backlog published, one lead each, 10 accounts".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.published().await?;
        let payload = of_one_revision(world, &database).await?;
        let ours = move || ours(world, database.clone());
        let bare = move || bare(world, payload.clone());
        Ok(vec![Side::ours(ours), Side::new("bare pipelined publisher", Goal::RatioAtLeast(0.5), bare)])
    }
}

/// What the service publishes of a revision of one lead.
async fn of_one_revision(world: &World, database: &Database) -> Result<Bytes> {
    let broker = Broker::prepare(world, database).await?;
    let service = world.serve(database, &[("events.url", &world.broker)]).await?;
    let alone = Shape { accounts: 1, ..database.shape };
    while calls::assign(service.channel(), alone).await? == 0 {}
    broker.published(0, calls::head(service.channel(), 0).await?).await?;
    let (_, message) = broker.last(0).await?.context("nothing is published")?;
    Ok(message.payload)
}

/// Where all accounts stand.
async fn heads(service: &Process, accounts: usize) -> Result<Vec<i64>> {
    let heads = (0..accounts).map(|account| calls::head(service.channel(), account));
    futures::future::try_join_all(heads).await
}

/// From when the service has started until everything is in the stream.
async fn ours(world: &World, database: Database) -> Result<f64> {
    let accounts = database.shape.accounts;
    let without_broker = world.serve(&database, &[]).await?;
    let before = heads(&without_broker, accounts).await?;
    calls::assign_times(&without_broker.channel(), database.shape, WRITERS, world.profile.backlog).await?;
    let after = heads(&without_broker, accounts).await?;
    drop(without_broker);
    let broker = Broker::of(world).await?;
    let service = world.serve(&database, &[("events.url", &world.broker)]).await?;
    let began = Instant::now();
    for (account, revision) in after.iter().enumerate() {
        broker.published(account, *revision).await?;
    }
    let took = began.elapsed().as_secs_f64();
    drop(service);
    let revisions: i64 = after.iter().zip(&before).map(|(after, before)| after - before).sum();
    Ok(revisions as f64 / took)
}

/// One message for each revision, each of which has to be acknowledged.
async fn bare(world: &World, payload: Bytes) -> Result<f64> {
    let broker = Broker::of(world).await?;
    broker.bare().await?;
    let (context, messages) = (&broker.context, world.profile.backlog);
    let publish = |number: usize| {
        let payload = payload.clone();
        async move { Ok(context.publish(format!("bare.{}", number % 10), payload).await?.await?) }
    };
    let began = Instant::now();
    let published = stream::iter((0..messages).map(publish)).buffer_unordered(PIPELINED);
    published.try_for_each(|_| async { anyhow::Ok(()) }).await?;
    Ok(messages as f64 / began.elapsed().as_secs_f64())
}
