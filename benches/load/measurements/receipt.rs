//! How long it takes until a change is at everybody who watches.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use ownership_proto::v1::watch_owner_changes_request::Start;
use prost::Message;
use prost::bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tonic::Streaming;

use super::watchers::{Timed, WATCHERS, open};
use crate::bare::{BROADCAST, PACE};
use crate::calls;
use crate::data::Shape;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::process::Process;
use crate::wire::WATCH;
use crate::world::{Database, Store, World};

/// A hundred changes a second, each received by 1,000 watchers.
pub struct Receipt;

#[tonic::async_trait]
impl Measurement for Receipt {
    fn what(&self) -> String {
        "WatchOwnerChanges, change to receipt, 1,000 watchers, 100 changes a second, p99".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::Millis
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.many(Store::Postgres).await?;
        let ours = move || ours(world, database.clone());
        let bare = move || bare(world);
        Ok(vec![Side::ours(ours), Side::new("bare broadcast of the same message", Goal::RatioAtMost(2.0), bare)])
    }
}

async fn ours(world: &World, database: Database) -> Result<f64> {
    let service = world.serve_loaded(&database, &[]).await?;
    let watches = open(&service.url, WATCH, Start::Now(())).await?;
    let writing = write(Arc::clone(&service), Shape { accounts: 1, ..database.shape });
    tokio::select! {
        sample = receive(watches, world.profile.span()) => sample,
        Err::<(), _>(error) = writing => Err(error),
    }
}

async fn bare(world: &World) -> Result<f64> {
    let server = world.bare(None).await?;
    receive(open(&server.url, BROADCAST, Start::Now(())).await?, world.profile.span()).await
}

/// Assigns at a steady pace, whether the assign before was answered or not.
pub async fn write(service: Arc<Process>, shape: Shape) -> Result<()> {
    let (mut pace, mut under_way) = (tokio::time::interval(PACE), JoinSet::new());
    loop {
        pace.tick().await;
        under_way.spawn(calls::assign(service.channel(), shape));
        while let Some(answered) = under_way.try_join_next() {
            answered??;
        }
    }
}

/// The 99th percentile over all receipts of all watchers, in milliseconds.
async fn receive(watches: Vec<Streaming<Bytes>>, (warm, time): (Duration, Duration)) -> Result<f64> {
    let begin = Instant::now() + warm;
    let mut all = JoinSet::new();
    for watch in watches {
        all.spawn(receive_one(watch, begin, begin + time));
    }
    let mut latency = Histogram::<u64>::new(3)?;
    while let Some(one) = all.join_next().await {
        latency.add(one??)?;
    }
    let expected = WATCHERS as f64 * time.as_secs_f64() / PACE.as_secs_f64();
    ensure!(latency.len() as f64 > expected / 2.0, "{} receipts of {expected}", latency.len());
    Ok(latency.value_at_quantile(0.99) as f64 / 1_000.0)
}

async fn receive_one(mut watch: Streaming<Bytes>, begin: Instant, end: Instant) -> Result<Histogram<u64>> {
    let mut latency = Histogram::new(3)?;
    while let Ok(message) = timeout_at(end.into(), watch.message()).await {
        let message = message?.context("a watch ended")?;
        if Instant::now() < begin {
            continue;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        for change in Timed::decode(message)?.changes.unwrap_or_default().changes {
            let at = change.occurred_at.unwrap_or_default();
            let at = u128::try_from(at.seconds * 1_000_000 + i64::from(at.nanos / 1_000))?;
            latency.record(u64::try_from(now.saturating_sub(at))?)?;
        }
    }
    Ok(latency)
}
