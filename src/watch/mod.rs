//! Watches: what changes, as it changes, without a gap. A state machine without sockets, fed by the ledger.

mod departure;
mod limits;
mod messages;
mod start;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use limits::Limit;
pub use messages::{Changes, Message, Watch};
pub use start::Start;

use crate::context::Context;
use crate::domain::change::ChangeFilter;
use crate::domain::ids::{CallerId, Revision};
use crate::ledger::{self, Ledger};

use departure::Departure;
use limits::Limits;

/// Watches that may read the log at the same time, so that the pool keeps connections for callers.
const CATCHING_UP: usize = 4;

/// How many watches there may be.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Of one caller.
    pub per_caller: usize,
    /// In all.
    pub per_replica: usize,
}

/// What is to be watched.
#[derive(Debug, Clone)]
pub struct WatchRequest {
    /// From where.
    pub start: Start,
    /// The history that the start belongs to; not checked when absent.
    pub history: Option<String>,
    /// Which changes.
    pub filter: ChangeFilter,
    /// Longest silence.
    pub progress_interval: Duration,
}

/// Where a watch begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Changes after this revision follow.
    pub revision: Revision,
    /// Where the account stands.
    pub head: Revision,
    /// Where its history begins.
    pub floor: Revision,
    /// The history that the revisions belong to.
    pub history: String,
    /// Longest silence.
    pub progress_interval: Duration,
}

/// Why a watch does not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are too many.
    #[error(transparent)]
    Limit(#[from] Limit),
    /// The account cannot be read, or not from there.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

/// All watches of this replica. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watches {
    ledger: Ledger,
    limits: Limits,
    catching_up: Arc<Semaphore>,
    departure: Departure,
}

impl Watches {
    /// None yet.
    pub fn new(ledger: Ledger, options: Options) -> Self {
        Self {
            ledger,
            limits: Limits::new(options),
            catching_up: Arc::new(Semaphore::new(CATCHING_UP)),
            departure: Departure::default(),
        }
    }

    /// Begins a watch. Everything that can be wrong with it is found out here.
    pub async fn open(&self, context: &Context, caller: &CallerId, request: WatchRequest) -> Result<Watch, Error> {
        if self.departure.has_begun() {
            return Err(ledger::Error::Draining.into());
        }
        let place = self.limits.enter(caller)?;
        let WatchRequest { start, history, filter, progress_interval } = request;
        let following = self.ledger.follow(context).await?;
        let (revision, head, floor) = start::locate(&self.ledger, context, start, history.as_deref()).await?;
        let history = self.ledger.history_id().to_owned();
        let started = Started { revision, head, floor, history, progress_interval };
        let surroundings = messages::Surroundings {
            ledger: self.ledger.clone(),
            turn: Arc::clone(&self.catching_up),
            departure: self.departure.clone(),
            _place: place,
        };
        Ok(Watch::new(started, following, filter, surroundings))
    }

    /// Ends all watches, one after the other and the last of them within a time, and begins no more.
    pub fn drain(&self, within: Duration) {
        self.departure.begin(self.limits.taken(), within);
    }
}
