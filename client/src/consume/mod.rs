//! A consumer of the events on NATS JetStream.
//!
//! Messages are handed to lanes by their account, so the events of one account are taken in one after the other, and those of others
//! beside them. What `account.rs` does with an event does not depend on the order in which messages come, on their
//! number, or on who else consumes them: the position that the handler keeps says what is next, and the log has what is missing.

mod account;
mod delivery;
mod event;
mod failure;
mod handler;
mod lane;
mod log;
pub(crate) mod parking;
mod pull;
mod queue;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::Context;
use ownership_proto::Validate;
use ownership_proto::v1::GetSettingsRequest;
use tonic::Status;

use crate::{BoxError, Client, Error};
pub use event::Fault;
pub use handler::{Applied, Beginning, Handler, Position, Start, StartOver, Step};
use parking::{Parked, Parking};

/// How a consumer consumes.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// The name of the durable consumer, at which the broker keeps what is acknowledged. Instances of one program share it.
    pub name: String,
    /// The stream.
    pub stream: String,
    /// Only these accounts. Empty: all.
    pub accounts: Vec<String>,
    /// Whether a consumer that the broker does not know yet begins with the oldest event of the stream, or with the next one.
    pub from_the_oldest: bool,
    /// How long the broker waits for a word about a message before it delivers it again. While a message is worked on, the word is
    /// given in time.
    pub ack_wait: Duration,
    /// How many messages may be under way: worked on, waiting for their turn, or for the end of a pause. All of them are in memory. If
    /// none of them is done with and more wait at the broker, room is made for them: of each account only the newest message waits for
    /// its turn, and the log has what it follows.
    pub max_ack_pending: u16,
    /// How many accounts may be worked on at the same time.
    pub lanes: usize,
    /// How often an event that the handler fails with, or whose account the service refuses, is tried before it is parked. Times at
    /// which handler or service are away do not count.
    pub attempts: u32,
    /// The pause after the first of these times, which doubles with each, and after those that do not count.
    pub pause: Duration,
}

impl ConsumerOptions {
    /// The usual ones, under a name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            stream: "LEADFLIP_OWNERSHIP_V1".to_owned(),
            accounts: Vec::new(),
            from_the_oldest: true,
            ack_wait: Duration::from_secs(30),
            max_ack_pending: 256,
            lanes: 8,
            attempts: 5,
            pause: Duration::from_secs(1),
        }
    }
}

/// What a consumer has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Events that were applied.
    pub applied: u64,
    /// Events that were seen before, or whose changes came from the log.
    pub seen: u64,
    /// Gaps that were repaired.
    pub repaired: u64,
    /// Accounts that were taken up anew.
    pub started_over: u64,
    /// Events that were parked. Somebody has to look at them.
    pub parked: u64,
}

#[derive(Debug, Default)]
struct Counters {
    applied: AtomicU64,
    seen: AtomicU64,
    repaired: AtomicU64,
    started_over: AtomicU64,
    parked: AtomicU64,
}

macro_rules! counters {
    ($($name:ident),*) => {
        impl Counters {
            $(fn $name(&self) {
                self.$name.fetch_add(1, Ordering::Relaxed);
            })*

            fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }
    };
}
counters!(applied, seen, repaired, started_over, parked);

/// What all lanes share.
struct Core<H> {
    client: Client,
    handler: H,
    parking: Box<dyn Parking>,
    options: ConsumerOptions,
    counts: Counters,
}

/// Follows the events of accounts.
pub struct Consumer<H> {
    context: Context,
    core: Arc<Core<H>>,
}

impl<H: Handler> Consumer<H> {
    /// A consumer that takes the events of a broker into a handler's tables, and puts what cannot be taken in into a parking place.
    /// Refuses options that make no sense.
    pub fn new(
        client: Client,
        context: Context,
        handler: H,
        parking: impl Parking,
        options: ConsumerOptions,
    ) -> Result<Self, Error> {
        check(&options)?;
        let core = Core { client, handler, parking: Box::new(parking), options, counts: Counters::default() };
        Ok(Self { context, core: Arc::new(core) })
    }

    /// Consumes until `shutdown` completes, then finishes the events that are worked on, and gives back those that wait for their turn.
    /// A broker that is away is waited for.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        pull::pull(&self.context, &self.core, shutdown).await;
    }

    /// Brings an account up to date from the service, without an event: what a consumer that is new begins with for the accounts it
    /// knows, and what an account needs whose last event is parked once the cause is gone.
    pub async fn catch_up(&self, account_id: &str) -> Result<(), BoxError> {
        use failure::Failure;
        self.core.catch_up(account_id).await.map_err(|failure| match failure {
            Failure::Fault(fault) => fault.into(),
            Failure::Incomplete { .. } => Fault::Incomplete.into(),
            Failure::Refused(error) => error.into(),
            Failure::Handler(error) | Failure::Away(error) => error,
        })
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.core.counts.read()
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.core.handler
    }
}

fn check(options: &ConsumerOptions) -> Result<(), Error> {
    let ConsumerOptions { accounts, lanes, attempts, ack_wait, max_ack_pending, .. } = options;
    if *lanes == 0 || *attempts == 0 || *max_ack_pending == 0 || ack_wait.is_zero() {
        let message = "lanes, attempts, max_ack_pending and ack_wait of a consumer must be above zero";
        return Err(Status::invalid_argument(message).into());
    }
    // An id that could be something else in a subject would subscribe to what nobody asked for.
    let is_none = |id: &&String| {
        let request = GetSettingsRequest { account_id: (*id).clone(), consistency: None };
        !request.violations().is_empty()
    };
    match accounts.iter().find(is_none) {
        Some(id) => Err(Status::invalid_argument(format!("{id:?} is no account")).into()),
        None => Ok(()),
    }
}
