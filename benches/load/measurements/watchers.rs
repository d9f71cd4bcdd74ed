//! Many watchers of one account: how they are opened, what they see, and what they take when nothing happens.

use std::time::Duration;

use anyhow::Result;
use ownership_proto::v1::watch_owner_changes_request::Start;
use ownership_proto::v1::watch_owner_changes_response::Message as Watched;
use ownership_proto::v1::{WatchOwnerChangesRequest, WatchOwnerChangesResponse};
use prost::Message;
use prost::bytes::Bytes;
use prost_types::Timestamp;
use tonic::Streaming;
use tonic::transport::Channel;

use super::footprint::MEBIBYTE;
use crate::data::account_id;
use crate::drive::connect;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::wire::{Method, WATCH, encoded};
use crate::world::{Store, World, first_use};

pub const WATCHERS: usize = 1_000;
const CONNECTIONS: usize = 10;

/// What is looked at of a message: where the stream stood before it, where it stands, and when the changes were made. What is not
/// named here is skipped.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Seen {
    #[prost(message, optional, tag = "2")]
    pub changes: Option<SeenChanges>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SeenChanges {
    #[prost(int64, tag = "1")]
    pub previous_revision: i64,
    #[prost(int64, tag = "2")]
    pub revision: i64,
}

/// As above, with the times.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Timed {
    #[prost(message, optional, tag = "2")]
    pub changes: Option<TimedChanges>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TimedChanges {
    #[prost(message, repeated, tag = "3")]
    pub changes: Vec<TimedChange>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TimedChange {
    #[prost(message, optional, tag = "7")]
    pub occurred_at: Option<Timestamp>,
}

/// Opens all watches of an account, over ten connections.
pub async fn open(url: &str, method: Method, start: Start) -> Result<Vec<Streaming<Bytes>>> {
    let channels = connect(url, CONNECTIONS).await?;
    let mut watches = Vec::new();
    for watcher in 0..WATCHERS {
        watches.push(watch(channels[watcher % CONNECTIONS].clone(), method, start).await?);
    }
    Ok(watches)
}

/// Opens one.
pub async fn watch(channel: Channel, method: Method, start: Start) -> Result<Streaming<Bytes>> {
    let (account_id, start) = (account_id(0), Some(start));
    let request = WatchOwnerChangesRequest { account_id, start, ..WatchOwnerChangesRequest::default() };
    method.stream(channel, encoded(&request)).await
}

/// How many changes a message tells.
pub fn count(message: &Bytes) -> Result<i64> {
    match WatchOwnerChangesResponse::decode(message.as_ref())?.message {
        Some(Watched::Changes(changes)) => Ok(i64::try_from(changes.changes.len())?),
        _ => Ok(0),
    }
}

/// Memory of watchers while nothing happens.
pub struct Idle;

#[tonic::async_trait]
impl Measurement for Idle {
    fn what(&self) -> String {
        "resident memory of 1,000 idle watchers".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::Mebibytes
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.many(Store::Postgres).await?;
        let sample = move || {
            let database = database.clone();
            async move {
                // One account only: what loading others leaves behind would be taken by the watchers, and not show.
                let service = world.serve(&database, &[]).await?;
                first_use(&service, 0).await?;
                let before = service.resident_bytes()?;
                let mut watches = open(&service.url, WATCH, Start::Now(())).await?;
                for watch in &mut watches {
                    watch.message().await?;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
                Ok((service.resident_bytes()? - before) / MEBIBYTE)
            }
        };
        Ok(vec![Side::new("ours", Goal::AtMost(32.0), sample)])
    }
}
