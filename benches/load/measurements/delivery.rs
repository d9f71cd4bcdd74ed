//! How long it takes until a change is at a consumer of the events.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::consumer::pull::Ordered;
use futures::StreamExt;
use hdrhistogram::Histogram;
use ownership_proto::v1::OwnersChanged;
use prost::Message;
use prost::bytes::{Buf, BufMut, BytesMut};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::receipt::write;
use crate::bare::PACE;
use crate::broker::{Broker, follow};
use crate::data::Shape;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::world::{Database, World};

/// About what an event of one change takes.
const BYTES: usize = 160;

/// A hundred changes a second, each received by one consumer.
pub struct Delivery {
    pub percentile: u8,
}

#[tonic::async_trait]
impl Measurement for Delivery {
    fn what(&self) -> String {
        format!("events: change to receipt by a consumer, 100 changes a second, p{}", self.percentile)
    }

    fn unit(&self) -> Unit {
        Unit::Millis
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.published().await?;
        drop(Broker::prepare(world, &database).await?);
        let millis = |latency: Histogram<u64>| latency.value_at_percentile(f64::from(self.percentile)) as f64 / 1_000.0;
        let ours = move || {
            let database = database.clone();
            async move { ours(world, database).await.map(millis) }
        };
        let bare = move || async move { bare(world).await.map(millis) };
        Ok(vec![Side::ours(ours), Side::new("bare publish", Goal::None, bare)])
    }
}

async fn ours(world: &World, database: Database) -> Result<Histogram<u64>> {
    let service = world.serve_loaded(&database, &[("events.url", &world.broker)]).await?;
    let broker = Broker::of(world).await?;
    let messages = broker.follow().await?;
    let writing = write(Arc::clone(&service), Shape { accounts: 1, ..database.shape });
    tokio::select! {
        sample = receive(messages, world.profile.span(), changed_at) => sample,
        Err::<(), _>(error) = writing => Err(error),
    }
}

async fn bare(world: &World) -> Result<Histogram<u64>> {
    let broker = Broker::of(world).await?;
    let messages = follow(&broker.bare().await?).await?;
    tokio::select! {
        sample = receive(messages, world.profile.span(), sent_at) => sample,
        Err::<(), _>(error) = publish(&broker) => Err(error),
    }
}

/// Publishes at a steady pace, whether the message before was acknowledged or not.
async fn publish(broker: &Broker) -> Result<()> {
    let (mut pace, mut under_way) = (tokio::time::interval(PACE), JoinSet::new());
    loop {
        pace.tick().await;
        let mut message = BytesMut::zeroed(BYTES);
        (&mut message[..]).put_u64(micros()?);
        under_way.spawn(broker.context.publish("bare.0", message.freeze()).await?.into_future());
        while let Some(acknowledged) = under_way.try_join_next() {
            acknowledged??;
        }
    }
}

/// Microseconds from when messages were sent until they are here. A message may stand for several.
async fn receive(
    mut messages: Ordered,
    (warm, time): (Duration, Duration),
    sent: fn(&[u8]) -> Result<Vec<u64>>,
) -> Result<Histogram<u64>> {
    let begin = Instant::now() + warm;
    let mut latency = Histogram::new(3)?;
    while let Ok(message) = timeout_at((begin + time).into(), messages.next()).await {
        let message = message.context("a consumer ended")??;
        let now = micros()?;
        if Instant::now() >= begin {
            for at in sent(&message.payload)? {
                latency.record(now.saturating_sub(at))?;
            }
        }
    }
    let expected = time.as_secs_f64() / PACE.as_secs_f64();
    ensure!(latency.len() as f64 > expected / 2.0, "{} receipts of {expected}", latency.len());
    Ok(latency)
}

fn changed_at(event: &[u8]) -> Result<Vec<u64>> {
    let times = OwnersChanged::decode(event)?.changes.into_iter().map(|change| {
        let at = change.occurred_at.unwrap_or_default();
        Ok(u64::try_from(at.seconds * 1_000_000 + i64::from(at.nanos / 1_000))?)
    });
    times.collect()
}

fn sent_at(mut message: &[u8]) -> Result<Vec<u64>> {
    Ok(vec![message.get_u64()])
}

fn micros() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros().try_into()?)
}
