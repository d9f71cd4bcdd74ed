//! The senders of all leads of an account, and what streaming them does to its writers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ownership_proto::v1::{StreamSendersRequest, StreamSendersResponse};
use prost::Message;
use tonic::transport::Channel;

use crate::calls;
use crate::copy::copy;
use crate::data::account_id;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::process::Process;
use crate::wire::{STREAM_SENDERS, encoded};
use crate::world::World;

/// Few enough that they leave the processor to the stream.
const WRITERS: usize = 4;
/// What a stream tells of each lead. Who a sender is stands in it once, so it is not asked for here at all.
const COPY: &str = "copy (select lead_id, owner_id from lead where account_id = 'bench0') to stdout";

/// StreamSenders over the large account.
pub struct Export;

#[tonic::async_trait]
impl Measurement for Export {
    fn what(&self) -> String {
        "StreamSenders, leads, the large account in one stream".to_owned()
    }

    fn unit(&self) -> Unit {
        Unit::PerSecond
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.large().await?;
        let (service, leads) = (world.serve_loaded(&database, &[]).await?, database.shape.leads);
        let bytes = verified(&service, leads).await?;
        let ours = move || {
            let service = Arc::clone(&service);
            repeated(world.profile.time, leads, move || stream(service.channel(), bytes))
        };
        let bare = move || {
            let database = database.clone();
            repeated(world.profile.time, leads, move || {
                let database = database.clone();
                async move { copy(world, &database, COPY).await }
            })
        };
        Ok(vec![Side::ours(ours), Side::new("COPY (same rows) TO STDOUT", Goal::RatioAtLeast(1.0), bare)])
    }
}

/// How long Assign takes while the account is streamed again and again.
pub struct Writers;

#[tonic::async_trait]
impl Measurement for Writers {
    fn what(&self) -> String {
        format!("Assign while StreamSenders runs, {WRITERS} callers, large account, p99")
    }

    fn unit(&self) -> Unit {
        Unit::Millis
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let database = world.large().await?;
        let (service, shape) = (world.serve_loaded(&database, &[]).await?, database.shape);
        let bytes = verified(&service, shape.leads).await?;
        let alone = Arc::clone(&service);
        let writing = move |service: Arc<Process>| async move {
            let call = move |channel| calls::assign(channel, shape);
            let load = closed_loop(WRITERS, world.profile.span(), &service.channels, call).await?;
            Ok(load.latency.value_at_quantile(0.99) as f64 / 1_000.0)
        };
        let streaming = move || {
            let service = Arc::clone(&service);
            async move {
                let streams = async {
                    loop {
                        stream(service.channel(), bytes).await?;
                    }
                };
                tokio::select! {
                    sample = writing(Arc::clone(&service)) => sample,
                    Err::<(), _>(error) = streams => Err(error),
                }
            }
        };
        let quiet = Side::new("without a stream", Goal::RatioAtMost(2.0), move || writing(Arc::clone(&alone)));
        Ok(vec![Side::ours(streaming), quiet])
    }
}

/// Leads a second, again and again for a while.
async fn repeated<F>(time: Duration, leads: usize, once: impl Fn() -> F) -> Result<f64>
where
    F: Future<Output = Result<Duration>>,
{
    let (mut spent, mut times) = (Duration::ZERO, 0);
    while times == 0 || spent < time {
        spent += once().await?;
        times += 1;
    }
    Ok((times * leads) as f64 / spent.as_secs_f64())
}

/// Reads a stream to its end and looks at every lead of it. How many bytes it had.
async fn verified(service: &Process, leads: usize) -> Result<usize> {
    let mut messages = STREAM_SENDERS.stream(service.channel(), request()).await?;
    let (mut seen, mut senders, mut bytes) = (0, 0, 0);
    while let Some(message) = messages.message().await? {
        bytes += message.len();
        let message = StreamSendersResponse::decode(message)?;
        senders += message.senders.len();
        seen += message.resolutions.len();
        let known = |sender: Option<i32>| sender.is_some_and(|sender| (sender as usize) < senders);
        ensure!(message.resolutions.iter().all(|one| known(one.sender)), "a lead without sender");
    }
    ensure!(seen == leads, "a stream of {seen} leads");
    Ok(bytes)
}

/// Reads a stream to its end, which has to be about as long as the one that was looked at.
async fn stream(channel: Channel, verified: usize) -> Result<Duration> {
    let began = Instant::now();
    let mut messages = STREAM_SENDERS.stream(channel, request()).await?;
    let mut bytes = 0;
    while let Some(message) = messages.message().await? {
        bytes += message.len();
    }
    ensure!(bytes * 100 >= verified * 95, "a stream of {bytes} bytes after one of {verified}");
    Ok(began.elapsed())
}

fn request() -> prost::bytes::Bytes {
    encoded(&StreamSendersRequest { account_id: account_id(0), ..StreamSendersRequest::default() })
}
