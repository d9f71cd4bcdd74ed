//! One account, watched by many while it is written to: the writers and the database are most of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ownership_proto::v1::watch_owner_changes_request::Start;
use prost::Message;
use prost::bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tonic::Streaming;

use super::watchers::{Seen, WATCHERS, count, open};
use crate::bare::packed;
use crate::calls;
use crate::data::Shape;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::wire::WATCH;
use crate::world::{Database, Store, World};

const WRITERS: usize = 64;
/// Messages that are kept for the bare server, which sends the same.
const KEPT: usize = 1_000;

/// Changes that arrive at 1,000 watchers of one account as they are made.
pub struct Live;

#[tonic::async_trait]
impl Measurement for Live {
    fn what(&self) -> String {
        format!("WatchOwnerChanges, deliveries to 1,000 watchers, {WRITERS} callers assign")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.many(Store::Postgres).await?;
        let kept = Arc::new(Mutex::new(Vec::new()));
        let again = Arc::clone(&kept);
        let ours = move || ours(world, database.clone(), Arc::clone(&kept));
        let bare = move || bare(world, Arc::clone(&again));
        Ok(vec![Side::ours(ours), Side::new("bare tonic stream of the same messages", Goal::RatioAtLeast(0.7), bare)])
    }
}

type Kept = Arc<Mutex<Vec<Bytes>>>;

async fn ours(world: &World, database: Database, kept: Kept) -> Result<f64> {
    let service = world.serve_loaded(&database, &[]).await?;
    let watches = open(&service.url, WATCH, Start::Now(())).await?;
    let shape = Shape { accounts: 1, ..database.shape };
    let writing =
        closed_loop(WRITERS, world.profile.span(), &service.channels, move |channel| calls::assign(channel, shape));
    let (received, _) = tokio::try_join!(receive(watches, world.profile.span(), true), writing)?;
    *kept.lock().await = received.kept;
    Ok(received.changes as f64 / world.profile.time.as_secs_f64())
}

async fn bare(world: &World, kept: Kept) -> Result<f64> {
    let path = world.file("watched");
    std::fs::write(&path, packed(&kept.lock().await))?;
    let server = world.bare(Some(&path)).await?;
    let received = receive(open(&server.url, WATCH, Start::Now(())).await?, world.profile.span(), false).await?;
    Ok(received.changes as f64 / world.profile.time.as_secs_f64())
}

/// What watchers received.
#[derive(Default)]
struct Received {
    changes: i64,
    /// The first messages with changes that one of them received.
    kept: Vec<Bytes>,
}

/// Receives for a while. Of `gapless` watches each message has to follow the one before.
async fn receive(
    watches: Vec<Streaming<Bytes>>,
    (warm, time): (Duration, Duration),
    gapless: bool,
) -> Result<Received> {
    let begin = Instant::now() + warm;
    let mut all = JoinSet::new();
    for (watcher, watch) in watches.into_iter().enumerate() {
        let keep = if watcher == 0 { KEPT } else { 0 };
        all.spawn(receive_one(watch, (begin, begin + time), gapless, keep));
    }
    let mut received = Received::default();
    while let Some(one) = all.join_next().await {
        let one = one??;
        received.changes += one.changes;
        received.kept.extend(one.kept);
    }
    ensure!(received.changes >= WATCHERS as i64, "watchers saw nothing");
    Ok(received)
}

/// Each change is one revision, since each was assigned by itself: how far the revision goes on is how many changes came.
async fn receive_one(
    mut watch: Streaming<Bytes>,
    (begin, end): (Instant, Instant),
    gapless: bool,
    keep: usize,
) -> Result<Received> {
    let (mut received, mut position) = (Received::default(), None);
    while let Ok(message) = timeout_at(end.into(), watch.message()).await {
        let message = message?.context("a watch ended")?;
        let Some(seen) = Seen::decode(message.as_ref())?.changes else { continue };
        let changes = seen.revision - seen.previous_revision;
        match position {
            None => ensure!(count(&message)? == changes, "a message that does not hold all its changes"),
            Some(position) if gapless => ensure!(position == seen.previous_revision, "a gap after {position}"),
            Some(_) => {}
        }
        position = Some(seen.revision);
        let now = Instant::now();
        if now >= end {
            break;
        }
        if now >= begin {
            received.changes += changes;
            if received.kept.len() < keep {
                received.kept.push(message);
            }
        }
    }
    Ok(received)
}
