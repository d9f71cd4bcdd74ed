//! Relays one account after the other from the log to the stream.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::OptionFuture;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Options;
use super::audit::State;
use super::backlog::Trouble;
use super::broker::{self, Broker};
use super::event::{Event, Place, Said};
use super::failure::Failure;
use super::pack::Packer;
use super::queue::Queue;
use super::reader::Reader;
use super::settlement::Settlement;
use crate::domain::fact::Tip;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;
use crate::ledger::Ledger;
use crate::metrics;
use crate::store::outbox::Published;
use crate::store::published::Position;
use crate::trace::Trace;

/// How often an account is tried before others get their turn.
const MAX_ATTEMPTS: u32 = 3;
/// Ends that are remembered, at most.
const MAX_ENDS: usize = 100_000;
/// Traces of an account that are remembered, at most.
const MAX_TRACES: usize = 1_000;

/// Where an account ends in the stream, for as long as the connection lasts.
#[derive(Debug, Clone, Copy)]
struct End {
    place: Place,
    /// The commit that its last message ends with, if it has any.
    last: Option<Tip>,
    /// The sequence number of its last message; 0 if there is none.
    sequence: u64,
}

/// Publishes over one connection.
pub(super) struct Relay<'a> {
    broker: &'a Broker,
    reader: Reader<'a>,
    options: &'a Options,
    settlement: &'a Settlement,
    trouble: &'a Trouble,
    history: Arc<str>,
    ends: Mutex<HashMap<AccountId, End>>,
    /// Of what is not published yet, as far as it was written here.
    traces: Mutex<HashMap<AccountId, Vec<(Revision, Trace)>>>,
    state: Mutex<State>,
}

impl<'a> Relay<'a> {
    pub(super) fn new(
        broker: &'a Broker,
        (ledger, options): (&'a Ledger, &'a Options),
        settlement: &'a Settlement,
        trouble: &'a Trouble,
    ) -> Self {
        let (reader, history) = (Reader::new(ledger, options.stream.max_age), Arc::from(ledger.history_id()));
        let (ends, traces, state) = Default::default();
        Self { broker, reader, options, settlement, trouble, history, ends, traces, state }
    }

    /// Takes note of how the stream is.
    pub(super) fn note(&self, state: State) {
        let before = std::mem::replace(&mut *self.state.lock(), state.clone());
        let grown = State { last: state.last.max(before.last), full: state.full, ..before };
        if state != grown {
            // More has happened than that it has grown.
            self.ends.lock().clear();
            self.settlement.clear();
        }
    }

    /// Remembers by which requests an account was changed.
    pub(super) fn expect(&self, account: &AccountId, new: Vec<(Revision, Trace)>) {
        if new.is_empty() {
            return;
        }
        let mut traces = self.traces.lock();
        let traces = traces.entry(account.clone()).or_default();
        if traces.len() + new.len() > MAX_TRACES {
            traces.clear();
        }
        traces.extend(new);
    }

    /// By which requests the revisions of an event were made.
    fn traces_of(&self, event: &Event) -> Vec<Trace> {
        let traces = self.traces.lock();
        let traces = traces.get(&event.account).into_iter().flatten();
        let of_event = traces.filter(|(revision, _)| (event.first..=event.last).contains(revision));
        of_event.map(|(_, trace)| trace.clone()).collect()
    }

    /// Forgets by which requests revisions were made that are published.
    fn forget_traces(&self, account: &AccountId, until: Revision) {
        let mut all = self.traces.lock();
        if let Some(traces) = all.get_mut(account) {
            traces.retain(|(revision, _)| *revision > until);
            if traces.is_empty() {
                all.remove(account);
            }
        }
    }

    /// Has the stream asked where an account ends.
    pub(super) fn forget(&self, account: &AccountId) {
        self.ends.lock().remove(account);
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
            self.forget(account);
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
        let mut packer = Packer::after(end.place, account.clone(), Arc::clone(&self.history), self.options.format);
        let mut page = self.reader.read(account, end.place.whole(), &mut packer).await?;
        let mut at = Timestamp::default();
        loop {
            let events = packer.take();
            // After the page was read: what follows something else than the stream ends with must not be appended.
            if let Some(last) = end.last {
                self.reader.still_has(account, last).await?;
            }
            // The next ones are read while the broker is waited for.
            let next = if page.last { None } else { Some(self.reader.read(account, page.until, &mut packer)) };
            let (appended, next) = tokio::join!(self.append(&events, &mut end), OptionFuture::from(next));
            appended?;
            at = events.last().map_or(at, |event| event.at);
            match next {
                Some(next) => page = next?,
                None => {
                    self.forget_traces(account, page.until);
                    return Ok(self.published(account, page.until, at, end));
                }
            }
        }
    }

    fn published(&self, account: &AccountId, through: Revision, at: Timestamp, end: End) -> Published {
        let position = |sequence| Position { incarnation: self.state.lock().incarnation, sequence };
        let sequence = i64::try_from(end.sequence).ok().filter(|sequence| *sequence > 0);
        let last = sequence.filter(|_| end.place.revision > Revision::ZERO);
        Published { account: account.clone(), through, at, last: last.map(|last| (end.place.revision, position(last))) }
    }

    async fn append(&self, events: &[Event], end: &mut End) -> Result<(), Failure> {
        for event in events {
            let began = Instant::now();
            let traces = self.traces_of(event);
            let sequence = self.broker.append(event, &self.options.format, end.sequence, &traces).await?;
            metrics::get().published(began.elapsed());
            let last = Tip { revision: event.last, at: event.at };
            *end = End { place: Place::behind(event), last: Some(last), sequence };
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
        let said = tail.and_then(|tail| tail.said).filter(|said| said.history == self.history);
        let (place, last) = match said {
            Some(Said { place, at, .. }) => {
                let last = Tip { revision: place.revision, at };
                self.reader.has(account, last).await?;
                (place, Some(last))
            }
            None => {
                let state = self.state.lock().clone();
                (self.reader.beginning(account, &state).await?, None)
            }
        };
        let end = End { place, last, sequence };
        self.remember(account, end);
        Ok(end)
    }
}
