//! One account, watched by many.

use std::time::{Duration, Instant};

use anyhow::Result;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::watch_owner_changes_request::Start;
use ownership_proto::v1::watch_owner_changes_response::Message;
use ownership_proto::v1::{WatchOwnerChangesRequest, WatchOwnerChangesResponse};
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tonic::Streaming;

use super::assign::assign;
use crate::data::account_id;
use crate::drive::{closed_loop, connect};
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::world::{Store, World};

const WATCHERS: usize = 1_000;
const CONNECTIONS: usize = 10;
/// Enough that watchers have always something to receive, and no more: writers take the processor from them.
const WRITERS: usize = 4;

type Watch = Streaming<WatchOwnerChangesResponse>;

/// Changes that arrive at 1,000 watchers of one account.
pub struct FanOut;

impl Measurement for FanOut {
    fn what(&self) -> String {
        format!("WatchOwnerChanges, deliveries to {WATCHERS} watchers")
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>> {
        vec![
            Side::new("ours", Goal::None, || ours(world)),
            Side::new("bare tonic stream of the same message", Goal::RatioAtLeast(0.7), || bare(world)),
        ]
    }
}

async fn ours(world: &World) -> Result<f64> {
    let service = world.serve_loaded(Store::Postgres, &[]).await?;
    let profile = world.profile;
    let span = (profile.warm, profile.time);
    let watches = open(&service.url).await?;
    let writing = closed_loop(WRITERS, span, &service.channels, move |channel| assign(channel, 1, profile));
    Ok(tokio::try_join!(receive(watches, span), writing)?.0)
}

async fn bare(world: &World) -> Result<f64> {
    let server = world.bare().await?;
    receive(open(&server.url).await?, (world.profile.warm, world.profile.time)).await
}

async fn open(url: &str) -> Result<Vec<Watch>> {
    let channels = connect(url, CONNECTIONS).await?;
    let mut watches = Vec::new();
    for watcher in 0..WATCHERS {
        let client = &mut OwnershipServiceClient::new(channels[watcher % CONNECTIONS].clone());
        let request = WatchOwnerChangesRequest {
            account_id: account_id(0),
            start: Some(Start::Now(())),
            ..WatchOwnerChangesRequest::default()
        };
        watches.push(client.watch_owner_changes(request).await?.into_inner());
    }
    Ok(watches)
}

/// Changes that all watches together receive in a second.
async fn receive(watches: Vec<Watch>, (warm, time): (Duration, Duration)) -> Result<f64> {
    let begin = Instant::now() + warm;
    let mut all = JoinSet::new();
    for watch in watches {
        all.spawn(receive_one(watch, begin, begin + time));
    }
    let mut changes = 0;
    while let Some(one) = all.join_next().await {
        changes += one??;
    }
    Ok(changes as f64 / time.as_secs_f64())
}

async fn receive_one(mut watch: Watch, begin: Instant, end: Instant) -> Result<usize> {
    let mut received = 0;
    while let Ok(message) = timeout_at(end.into(), watch.message()).await {
        let Some(WatchOwnerChangesResponse { message: Some(Message::Changes(changes)) }) = message? else { continue };
        match Instant::now() {
            now if now >= end => break,
            now if now >= begin => received += changes.changes.len(),
            _ => {}
        }
    }
    Ok(received)
}
