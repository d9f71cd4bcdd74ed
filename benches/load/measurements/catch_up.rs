//! One account, and many who catch up with what happened in it: what it takes to pass on what is known. Nobody writes meanwhile, so
//! that nothing else is in the figure.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ownership_proto::v1::watch_owner_changes_request::Start;
use prost::Message;
use prost::bytes::Bytes;
use tokio::task::JoinSet;
use tonic::Streaming;

use super::watchers::{Seen, WATCHERS, count, open, watch};
use crate::bare::{BACKLOG, packed};
use crate::calls;
use crate::data::Shape;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::process::Process;
use crate::report::grouped;
use crate::wire::{Method, WATCH};
use crate::world::{Store, World};

const WRITERS: usize = 64;
/// Changes to catch up with, about: fewer than the service has in memory, so that nobody reads the log.
const CHANGES: usize = 10_000;

/// Changes that 1,000 watchers catch up with.
pub struct CatchUp;

#[tonic::async_trait]
impl Measurement for CatchUp {
    fn what(&self) -> String {
        format!("WatchOwnerChanges, deliveries, 1,000 watchers catch up with {} changes", grouped(CHANGES))
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.many(Store::Postgres).await?;
        let service = world.serve_loaded(&database, &[]).await?;
        let (backlog, messages) = written(&service, Shape { accounts: 1, ..database.shape }).await?;
        let path = world.file("backlog");
        std::fs::write(&path, packed(&messages))?;
        let bare = world.bare(Some(&path)).await?;
        let ours = move || deliver(Arc::clone(&service), WATCH, backlog);
        let bare = move || deliver(Arc::clone(&bare), BACKLOG, backlog);
        Ok(vec![Side::ours(ours), Side::new("bare tonic stream of the same messages", Goal::RatioAtLeast(0.7), bare)])
    }
}

/// What there is to catch up with. Each change is one revision.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    after: i64,
    until: i64,
    /// Of all messages that tell it.
    bytes: usize,
}

/// Makes changes, and has one watcher catch up with them. Every one of them stands in the messages that it received.
async fn written(service: &Process, shape: Shape) -> Result<(Backlog, Vec<Bytes>)> {
    let after = calls::head(service.channel(), 0).await?;
    calls::assign_times(&service.channel(), shape, WRITERS, CHANGES).await?;
    let until = calls::head(service.channel(), 0).await?;
    let (mut backlog, mut messages) = (Backlog { after, until, bytes: 0 }, Vec::new());
    let stream = watch(service.channel(), WATCH, Start::AfterRevision(after)).await?;
    receive(stream, backlog, |message| messages.push(message)).await?;
    backlog.bytes = messages.iter().map(Bytes::len).sum();
    let told: i64 = messages.iter().map(count).sum::<Result<_>>()?;
    ensure!(told == backlog.until - after, "{told} changes after {after} until {}", backlog.until);
    Ok((backlog, messages))
}

/// Changes a second, from the moment all watchers begin to read until the last of them has caught up. Opening and closing the
/// streams is outside: it is no delivery. What a server sends before anybody reads is what the windows of ten connections hold,
/// a few hundredths of it all.
async fn deliver(server: Arc<Process>, method: Method, backlog: Backlog) -> Result<f64> {
    let watches = open(&server.url, method, Start::AfterRevision(backlog.after)).await?;
    let (began, mut all) = (Instant::now(), JoinSet::new());
    for watch in watches {
        all.spawn(caught_up(watch, backlog));
    }
    let mut done = Vec::new();
    while let Some(watch) = all.join_next().await {
        done.push(watch??);
    }
    let changes = (backlog.until - backlog.after) as f64 * WATCHERS as f64;
    Ok(changes / began.elapsed().as_secs_f64())
}

/// A watch that has caught up. To decode all it received would count against whoever sent it, so its length has to do: the least
/// that is missing shows in the revisions, and what stands in a message shows in its length.
async fn caught_up(watch: Streaming<Bytes>, backlog: Backlog) -> Result<Streaming<Bytes>> {
    let mut bytes = 0;
    let watch = receive(watch, backlog, |message| bytes += message.len()).await?;
    ensure!(bytes * 10 >= backlog.bytes * 9, "{bytes} bytes where another watcher received {}", backlog.bytes);
    Ok(watch)
}

/// Takes the messages with changes until the last one is there. Each has to follow the one before.
async fn receive(
    mut watch: Streaming<Bytes>,
    Backlog { after: mut position, until, bytes: _ }: Backlog,
    mut take: impl FnMut(Bytes),
) -> Result<Streaming<Bytes>> {
    while position < until {
        let message = watch.message().await?.context("a watch ended")?;
        let Some(seen) = Seen::decode(message.as_ref())?.changes else { continue };
        ensure!(position == seen.previous_revision, "a gap after {position}");
        position = seen.revision;
        take(message);
    }
    Ok(watch)
}
