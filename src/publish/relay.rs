//! Relays one account after the other from the log to the stream.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::OptionFuture;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Options;
use super::backlog::Trouble;
use super::broker::{self, Broker};
use super::event::{Event, Place};
use super::pack::Packer;
use super::queue::Queue;
use super::settlement::Settlement;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;
use crate::ledger::Ledger;
use crate::metrics;
use crate::store::outbox::Published;
use crate::store::{self, Snapshot};

/// Owner changes read at once.
const PAGE: usize = 2_000;
/// Accounts that may read the log at the same time, so that the pool keeps connections for callers.
const READING: usize = 2;
/// How often an account is tried before others get their turn.
const MAX_ATTEMPTS: u32 = 3;
/// Ends that are remembered, at most.
const MAX_ENDS: usize = 100_000;

/// Why an account was not published.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The broker did not do it.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Store(#[from] store::Error),
    /// The stream has what the log has not: the database was put back, and goes on under the same history.
    #[error("account {account} is at revision {log} and was published up to {stream}: give the history a new id")]
    Ahead {
        /// The account.
        account: AccountId,
        /// Where the log ends.
        log: Revision,
        /// Where the stream ends.
        stream: Revision,
    },
}

/// Where an account ends in the stream, for as long as the connection lasts.
#[derive(Debug, Clone, Copy)]
struct End {
    place: Place,
    /// The sequence number of its last message; 0 if there is none.
    sequence: u64,
}

/// What was read of the log.
struct Page {
    /// Everything up to here.
    until: Revision,
    /// And that was all.
    last: bool,
}

/// Publishes over one connection.
pub(super) struct Relay<'a> {
    pub(super) broker: &'a Broker,
    pub(super) ledger: &'a Ledger,
    pub(super) options: &'a Options,
    pub(super) settlement: &'a Settlement,
    pub(super) trouble: &'a Trouble,
    ends: Mutex<HashMap<AccountId, End>>,
    reading: Semaphore,
}

impl<'a> Relay<'a> {
    pub(super) fn new(
        broker: &'a Broker,
        (ledger, options): (&'a Ledger, &'a Options),
        settlement: &'a Settlement,
        trouble: &'a Trouble,
    ) -> Self {
        let (ends, reading) = (Mutex::default(), Semaphore::new(READING));
        Self { broker, ledger, options, settlement, trouble, ends, reading }
    }

    /// Publishes what waits, several accounts at the same time, until the connection is of no use any more.
    pub(super) async fn work(&self, queue: &Queue) -> Result<(), broker::Error> {
        let accounts = stream::unfold((), |()| async { Some((queue.next().await, ())) });
        let work = accounts.map(Ok).try_for_each_concurrent(self.options.at_once, |account| async move {
            let outcome = self.publish(&account).await;
            queue.done(&account);
            match outcome {
                Ok(published) => {
                    self.settlement.add(published);
                    self.trouble.less();
                }
                Err(Failure::Broker(error)) if error.ends_connection() => return Err(error),
                Err(failure) => self.trouble.tell(failure.kind(), &failure),
            }
            Ok(())
        });
        work.await
    }

    /// Publishes all that waits of an account. After a message of which it is not known whether it arrived, and when somebody else
    /// was faster, the stream is asked where it ends.
    async fn publish(&self, account: &AccountId) -> Result<Published, Failure> {
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(account).await;
            let Err(failure) = outcome else { return outcome };
            self.ends.lock().remove(account);
            metrics::get().publish_failed(failure.kind());
            match failure {
                Failure::Broker(broker::Error::Outrun | broker::Error::Silent(_)) if attempt < MAX_ATTEMPTS => {
                    attempt += 1
                }
                failure => return Err(failure),
            }
        }
    }

    async fn attempt(&self, account: &AccountId) -> Result<Published, Failure> {
        let mut end = self.end_of(account).await?;
        let history = Arc::from(self.ledger.history_id());
        let mut packer = Packer::after(end.place, account.clone(), history, self.options.format);
        let mut page = self.read(account, end.place.whole(), &mut packer).await?;
        let mut at = Timestamp::default();
        loop {
            let events = packer.take();
            // The next ones are read while the broker is waited for.
            let next = if page.last { None } else { Some(self.read(account, page.until, &mut packer)) };
            let (appended, next) = tokio::join!(self.append(&events, &mut end), OptionFuture::from(next));
            appended?;
            at = events.last().map_or(at, |event| event.at);
            match next {
                Some(next) => page = next?,
                None => return Ok(Published { account: account.clone(), through: page.until, at }),
            }
        }
    }

    async fn append(&self, events: &[Event], end: &mut End) -> Result<(), Failure> {
        for event in events {
            let began = Instant::now();
            let sequence = self.broker.append(event, &self.options.format, end.sequence).await?;
            metrics::get().published(began.elapsed());
            *end = End { place: Place::behind(event), sequence };
            self.remember(&event.account, *end);
        }
        Ok(())
    }

    fn remember(&self, account: &AccountId, end: End) {
        let mut ends = self.ends.lock();
        if ends.len() >= MAX_ENDS && !ends.contains_key(account) {
            ends.clear();
        }
        ends.insert(account.clone(), end);
    }

    /// Where an account ends in the stream.
    async fn end_of(&self, account: &AccountId) -> Result<End, Failure> {
        if let Some(end) = self.ends.lock().get(account) {
            return Ok(*end);
        }
        let tail = self.broker.tail(account).await?;
        let sequence = tail.as_ref().map_or(0, |tail| tail.sequence);
        let said = tail.and_then(|tail| tail.said).filter(|said| *said.history == *self.ledger.history_id());
        let place = match said {
            Some(said) => said.place,
            None => self.beginning(account).await?,
        };
        let end = End { place, sequence };
        self.remember(account, end);
        Ok(end)
    }

    /// Where an account begins of which the stream has nothing: with the first change that would still be in the stream.
    async fn beginning(&self, account: &AccountId) -> Result<Place, Failure> {
        let _turn = self.reading.acquire().await;
        let snapshot = self.ledger.log().snapshot("publish_start").await?;
        let head = store::heads::read(&snapshot, account).await?;
        let age = i64::try_from(self.options.stream.max_age.as_micros()).unwrap_or(i64::MAX);
        let kept_since = store::clock(&snapshot).await?.minus_micros(age);
        let before = store::history::revision_before(&snapshot, account, kept_since, head.revision).await?;
        let before = before.max(head.history_floor);
        Ok(Place::after(store::history::last_owner_change(&snapshot, account, before).await?))
    }

    /// Reads on after a revision: in memory if it is there, and otherwise in the log.
    async fn read(&self, account: &AccountId, after: Revision, packer: &mut Packer) -> Result<Page, Failure> {
        if let Some(commits) = self.ledger.recent_after(account, after, PAGE) {
            commits.iter().for_each(|commit| packer.add(commit));
            let changes: usize = commits.iter().map(|commit| commit.owner_changes()).sum();
            let until = commits.last().map_or(after, |commit| commit.revision);
            return Ok(Page { until, last: changes < PAGE });
        }
        let _turn = self.reading.acquire().await;
        // What is read is complete only above the floor of the same moment.
        let snapshot = self.ledger.log().snapshot("publish").await?;
        let head = store::heads::read(&snapshot, account).await?;
        if head.revision < after {
            let (account, stream) = (account.clone(), after);
            return Err(Failure::Ahead { account, log: head.revision, stream });
        }
        self.read_log(&snapshot, account, (after, head), packer).await
    }

    async fn read_log(
        &self,
        snapshot: &Snapshot,
        account: &AccountId,
        (mut after, head): (Revision, store::heads::Head),
        packer: &mut Packer,
    ) -> Result<Page, Failure> {
        if after < head.history_floor {
            tracing::warn!(%account, %after, floor = %head.history_floor, "history was deleted before it was published");
            after = head.history_floor;
            packer.skip_to(after);
        }
        let commits = store::facts::owner_changes_between(snapshot, account, after, head.revision, PAGE as u64).await?;
        commits.iter().for_each(|commit| packer.add(commit));
        // A page that was cut short has at least half of what was asked for: no request has more changes than that.
        let last = commits.iter().map(|commit| commit.facts.len()).sum::<usize>() < PAGE / 2;
        let until = commits.last().map_or(head.revision, |commit| commit.revision);
        Ok(Page { until: if last { head.revision } else { until }, last })
    }
}

impl Failure {
    /// What went wrong, in a word.
    fn kind(&self) -> &'static str {
        match self {
            Self::Broker(error) => error.kind(),
            Self::Store(_) => "store",
            Self::Ahead { .. } => "ahead",
        }
    }
}

impl broker::Error {
    /// Whether nothing more can be done over the connection it came from.
    fn ends_connection(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Lost | Self::NoJetStream(_) | Self::NoStream(_) | Self::Different { .. } => {
                true
            }
            Self::Silent(_) | Self::Outrun | Self::Refused(_) => false,
        }
    }

    /// What went wrong, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Lost => "lost",
            Self::NoJetStream(_) => "no_jetstream",
            Self::NoStream(_) => "no_stream",
            Self::Different { .. } => "different",
            Self::Silent(_) => "silent",
            Self::Outrun => "outrun",
            Self::Refused(_) => "refused",
        }
    }
}
