//! From the broker to the lanes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::{Config, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use futures::StreamExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::delivery::{Delivery, UnderWay};
use super::event::SUBJECTS;
use super::handler::Handler;
use super::lane::Lane;
use super::queue::Queue;
use super::{ConsumerOptions, Core};
use crate::BoxError;
use crate::retry::Backoff;

/// Pauses between attempts to reach the broker.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long the broker may wait before it says that there is nothing, and how often it says that it is alive meanwhile.
const EXPIRES: Duration = Duration::from_secs(20);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long nothing new may come, although there is more, until room is made for it.
const STALLED: Duration = Duration::from_secs(1);

/// Hands messages to lanes until `shutdown`, then waits until the lanes have ended.
pub(super) async fn pull<H: Handler>(context: &Context, core: &Arc<Core<H>>, shutdown: impl Future<Output = ()>) {
    let under_way = Arc::new(UnderWay::default());
    let mut running = JoinSet::new();
    let mut lanes = Vec::new();
    for _ in 0..core.options.lanes {
        let queue = Arc::new(Queue::default());
        running.spawn(Lane::new(Arc::clone(core), Arc::clone(&under_way)).run(Arc::clone(&queue)));
        lanes.push(queue);
    }
    let working = async {
        tokio::select! {
            () = shutdown => {}
            () = pull_always(context, core, &lanes, &under_way) => {}
        }
        lanes.iter().for_each(|lane| lane.close());
        while running.join_next().await.is_some() {}
    };
    tokio::select! {
        () = working => {}
        () = under_way.keep(core.options.ack_wait / 3) => {}
    }
}

/// Pulls, for ever: whatever ends it is waited for.
async fn pull_always<H: Handler>(context: &Context, core: &Core<H>, lanes: &[Arc<Queue>], under_way: &UnderWay) {
    let options = &core.options;
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    loop {
        let mut messages = match open(context, options).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(error, stream = options.stream, "the stream cannot be consumed yet");
                sleep(backoff.pause()).await;
                continue;
            }
        };
        let began = Instant::now();
        let error = hand_on(&mut messages, core, lanes, under_way).await;
        backoff.lasted(began.elapsed());
        tracing::warn!(error, stream = options.stream, "the stream is opened again");
        sleep(backoff.pause()).await;
    }
}

/// The messages of the durable consumer, which is created when it is missing, as it is when the stream was created anew.
async fn open(context: &Context, options: &ConsumerOptions) -> Result<Stream, BoxError> {
    // Without asking how the stream is: nothing depends on it, and it would take one more permission.
    let consumer = context.create_consumer_on_stream(config(options), &options.stream).await?;
    let stream = consumer.stream().max_messages_per_batch(options.max_ack_pending.into());
    Ok(stream.expires(EXPIRES).heartbeat(HEARTBEAT).messages().await?)
}

fn config(options: &ConsumerOptions) -> Config {
    let ConsumerOptions { name, accounts, from_the_oldest, ack_wait, max_ack_pending, .. } = options;
    let filters: Vec<String> = accounts.iter().map(|account| format!("{SUBJECTS}.{account}")).collect();
    // A single filter is a part of the subject of the request, so that the broker can allow it for one account and no other.
    let (filter_subject, filter_subjects) = match <[String; 1]>::try_from(filters) {
        Ok([filter]) => (filter, Vec::new()),
        Err(filters) => (String::new(), filters),
    };
    Config {
        durable_name: Some(name.clone()),
        deliver_policy: if *from_the_oldest { DeliverPolicy::All } else { DeliverPolicy::New },
        ack_policy: AckPolicy::Explicit,
        ack_wait: *ack_wait,
        max_ack_pending: (*max_ack_pending).into(),
        // The broker would drop a message after so many times without a word to anybody. Here it is parked instead.
        max_deliver: -1,
        // Its first entry would take the place of `ack_wait`, and a message that is worked on for longer would come twice.
        backoff: Vec::new(),
        filter_subject,
        filter_subjects,
        ..Default::default()
    }
}

/// Hands messages on to the lanes of their accounts; returns why there are no more.
async fn hand_on<H: Handler>(
    messages: &mut Stream,
    core: &Core<H>,
    lanes: &[Arc<Queue>],
    under_way: &UnderWay,
) -> BoxError {
    let (mut new_at, mut more) = (Instant::now(), false);
    loop {
        let Ok(message) = timeout_at(new_at + STALLED, messages.next()).await else {
            if more || under_way.count() >= core.options.max_ack_pending.into() {
                make_room(core, lanes, under_way).await;
            }
            new_at = Instant::now();
            continue;
        };
        let Some(message) = message else { return "the broker sends no more".into() };
        let delivery = match message.map_err(BoxError::from).and_then(Delivery::new) {
            Ok(delivery) => Arc::new(delivery),
            Err(error) => return error,
        };
        if !delivery.again {
            (new_at, more) = (Instant::now(), delivery.more);
        }
        under_way.add(&delivery);
        lanes[lane_of(delivery.subject(), lanes.len())].add(&delivery);
    }
}

/// Makes room for messages of others, where accounts that take long have all that may be under way.
async fn make_room<H: Handler>(core: &Core<H>, lanes: &[Arc<Queue>], under_way: &UnderWay) {
    for delivery in lanes.iter().flat_map(|lane| lane.spare()) {
        under_way.remove(&delivery);
        core.counts.seen();
        delivery.done().await;
    }
}

/// The lane of an account.
fn lane_of(subject: &str, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    usize::try_from(hasher.finish() % lanes.max(1) as u64).unwrap_or_default()
}
