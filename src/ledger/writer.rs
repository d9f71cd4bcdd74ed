//! Those who write: whoever gets a turn takes the requests that wait at the doors, of several accounts at once, and carries them out
//! in one transaction.

use std::collections::VecDeque;
use std::mem;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, Span};

use super::attempt::{Failure, within};
use super::batch::Decided;
use super::door::Visit;
use super::recovery::Fate;
use super::turns::{Turn, Turns};
use super::{Changed, Options};
use crate::domain::change::kind_of;
use crate::domain::ids::Revision;
use crate::domain::intent::intents_of;
use crate::domain::published::is_published;
use crate::metrics;
use crate::store::{self, Store, Tx};
use crate::trace::Trace;

/// Items that requests of one account bring together which share a transaction, about: bounds what one commit holds up.
const MAX_ITEMS: usize = 4_000;
/// Items that accounts bring together which share a transaction: who brings more keeps nobody else waiting.
const MAX_SHARED_ITEMS: usize = 500;
/// How often a transaction that another one was in the way of is tried.
const MAX_ATTEMPTS: u32 = 4;
/// Wait before a transaction is tried again, times the attempt.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Carries out what waits at the doors.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) budget: usize,
    max_batch: usize,
    turns: Turns,
    /// Whose turn it is to prepare a transaction that accounts share.
    preparing: Turns,
    /// Accounts at whose doors somebody waits, and that nobody has taken yet.
    ready: Mutex<VecDeque<Visit>>,
    /// Hears of every account of which something is to be published here.
    changed: broadcast::Sender<Changed>,
    runtime: Handle,
}

impl Writer {
    pub(super) fn new(store: Store, options: &Options, changed: broadcast::Sender<Changed>) -> Self {
        // SQLite has one writer anyway, in whose transaction all can meet.
        let writers = if store.is_exclusive() { 1 } else { options.writers };
        let turns = Turns::new(writers, options.connections);
        let Options { max_batch, memory_budget_bytes: budget, .. } = *options;
        Self {
            store,
            budget,
            max_batch,
            turns,
            preparing: Turns::new(1, options.connections),
            ready: Mutex::default(),
            changed,
            runtime: Handle::current(),
        }
    }

    /// Whether anything is being written.
    pub(super) fn is_busy(&self) -> bool {
        self.turns.are_taken()
    }

    /// Has an account visited when there is a turn.
    pub(super) fn visit(self: &Arc<Self>, visit: Visit) {
        self.ready.lock().push_back(visit);
        let writer = Arc::clone(self);
        self.in_turn(async move {
            let preparing = writer.preparing.take().await;
            // Somebody may have taken it along.
            let first = writer.ready.lock().pop_front();
            if let Some(first) = first {
                writer.carry_out_with(first, preparing).await;
            }
        });
    }

    /// In a task of its own, so that no caller can cut a write in half.
    fn in_turn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let turns = self.turns.clone();
        self.runtime.spawn(async move { turns.take().await.spend(work).await });
    }

    pub(super) async fn begin(&self) -> Result<Tx, store::Error> {
        within(self.store.begin("door")).await
    }

    /// Carries out what waits at a door, and at others.
    async fn carry_out_with(self: &Arc<Self>, mut first: Visit, preparing: Turn) {
        first.take_first();
        // Where requests share nothing, accounts do not either. Who brings much keeps nobody else waiting.
        if self.max_batch == 1 || first.items() > MAX_SHARED_ITEMS {
            drop(preparing);
            self.carry_out_alone(first).await;
        } else {
            self.carry_out_together(first, preparing).await;
        }
    }

    async fn carry_out_alone(&self, mut only: Visit) {
        only.take(self.max_batch, MAX_ITEMS.saturating_sub(only.items()));
        let span = only.span();
        note(slice::from_ref(&only), &span);
        self.see_through(&mut only, Failure::Apart).instrument(span).await;
    }

    /// One prepares while others commit: so a transaction takes along all that arrived while the one before it was prepared, and nobody
    /// waits for the disk who could prepare.
    async fn carry_out_together(self: &Arc<Self>, first: Visit, preparing: Turn) {
        let span = first.span();
        let prepare = async {
            let begun = self.begin().await;
            let visits = self.gather(first);
            note(&visits, &span);
            let prepared = self.prepare_together(begun, &visits).await;
            (visits, prepared)
        };
        let (visits, prepared) = preparing.spend(prepare.instrument(span.clone())).await;
        let outcomes = Self::conclude(&visits, prepared).instrument(span).await;
        for (mut visit, outcome) in visits.into_iter().zip(outcomes) {
            match outcome {
                Ok(decided) => self.settle(&mut visit, decided),
                // What it takes to see it through keeps the others waiting no longer.
                Err(failure @ (Failure::Apart | Failure::Unknown(_))) => self.see_through_in_turn(visit, failure),
                Err(failure) => failure.tell(&mut visit),
            }
        }
    }

    /// A visit, with what arrived there meanwhile, and others that are ready.
    fn gather(&self, mut first: Visit) -> Vec<Visit> {
        let mut room = MAX_SHARED_ITEMS.saturating_sub(first.items());
        room -= first.take(self.max_batch, room);
        let mut visits = vec![first];
        let mut ready = self.ready.lock();
        while let Some(next) = ready.front_mut() {
            room -= next.take(self.max_batch, room);
            if next.requests.is_empty() {
                break;
            }
            visits.extend(ready.pop_front());
        }
        visits
    }

    fn see_through_in_turn(self: &Arc<Self>, mut visit: Visit, failure: Failure) {
        let (writer, span) = (Arc::clone(self), visit.span());
        self.in_turn(async move { writer.see_through(&mut visit, failure).instrument(span).await });
    }

    /// Tries again for as long as that makes sense, with transactions that the account has for itself, and finds out what became of
    /// a commit whose answer was lost.
    async fn see_through(&self, visit: &mut Visit, mut failure: Failure) {
        for attempt in 1.. {
            let is_last = attempt == MAX_ATTEMPTS;
            match failure {
                Failure::Apart if !is_last => {}
                Failure::Store(error) if error.is_conflict() && !is_last => {
                    metrics::get().store_retried("door");
                    sleep(RETRY_PAUSE * attempt).await;
                }
                Failure::Store(error) if !error.is_transient() && visit.requests.len() > 1 => {
                    complain(visit.requests.len(), &error);
                    return Box::pin(self.one_by_one(visit)).await;
                }
                Failure::Unknown(decided) => match self.fate_of(visit, &decided.commits).await {
                    Ok(Fate::Committed) => return self.answer(visit, *decided),
                    Ok(Fate::Lost) if !is_last => {}
                    Ok(Fate::Lost) => return Failure::from(store::Error::TimedOut).tell(visit),
                    Ok(Fate::Unknown) => return Failure::Unknown(decided).tell(visit),
                    Err(failure) => return failure.tell(visit),
                },
                failure => return failure.tell(visit),
            }
            match self.attempt_alone(visit).await {
                Ok(decided) => return self.settle(visit, decided),
                Err(another) => failure = another,
            }
        }
    }

    /// A defect may lie in one of the requests: it must not fail its neighbours.
    async fn one_by_one(&self, visit: &mut Visit) {
        for request in mem::take(&mut visit.requests) {
            visit.requests = vec![request];
            let span = visit.span();
            self.see_through(visit, Failure::Apart).instrument(span).await;
        }
    }

    /// Shows what is committed to readers and watchers, before anybody is answered.
    fn settle(&self, visit: &mut Visit, decided: Decided) {
        count(visit, &decided);
        let (account, news) = (visit.resident(), news(visit, &decided));
        if account.take_over(decided.commits).is_err() {
            // Nobody else can have moved the head since it was locked, but a reload may have moved the book.
            tracing::debug!(account = %account.id, "the book was reloaded during a commit");
        }
        self.tell(news);
        visit.answer(decided.answers);
    }

    /// Answers what turned out to be committed, and is in the book since.
    fn answer(&self, visit: &mut Visit, decided: Decided) {
        count(visit, &decided);
        self.tell(news(visit, &decided));
        visit.answer(decided.answers);
    }

    /// Tells those who publish, if there is something to tell.
    fn tell(&self, news: Option<Changed>) {
        if let Some(changed) = news {
            // Without anybody who listens, nobody needs to know.
            let _ = self.changed.send(changed);
        }
    }
}

/// What is worth telling of what was committed.
fn news(visit: &Visit, decided: &Decided) -> Option<Changed> {
    let last = decided.commits.iter().rfind(|commit| is_published(commit))?;
    let (account, traces) = (visit.resident().id.clone(), traces(visit, decided));
    Some(Changed { account, revision: last.revision, traces })
}

/// The requests that made revisions, as far as they are traced. The others were answered with one that was there.
fn traces(visit: &Visit, decided: &Decided) -> Vec<(Revision, Trace)> {
    let mut revisions = decided.commits.iter().map(|commit| commit.revision).peekable();
    let answered = visit.requests.iter().zip(&decided.answers);
    let made = answered.filter_map(|(request, answer)| {
        let revision = answer.as_ref().ok().filter(|answer| !answer.replayed)?.revision;
        let made = revisions.next_if_eq(&revision)?;
        Some((made, Trace::of(&request.span)?))
    });
    made.collect()
}

/// Notes who shares a transaction. The statements belong to all of them, and stand in the trace of one: the others say which.
fn note(visits: &[Visit], span: &Span) {
    let now = Instant::now();
    let requests: Vec<_> = visits.iter().flat_map(|visit| &visit.requests).collect();
    metrics::get().door_batched(requests.len());
    requests.iter().for_each(|request| metrics::get().door_waited(now - request.queued));
    for other in &requests[1..] {
        other.span.follows_from(span);
    }
}

/// The defect may lie in how requests were put together, too. Then all of them succeed one by one, and no caller has anything to
/// complain of.
pub(super) fn complain(requests: usize, error: &store::Error) {
    metrics::get().door_split();
    let error = error as &dyn std::error::Error;
    tracing::error!(requests, error, "a batch failed for a defect: its requests are carried out one by one");
}

/// Counts what was done, with one reading for all facts of a commit that did the same to owners.
fn count(visit: &Visit, decided: &Decided) {
    for (request, answer) in visit.requests.iter().zip(&decided.answers) {
        let Ok(answer) = answer else { continue };
        request.span.record("revision", answer.revision.0);
        metrics::get().written(request.command.action.name());
    }
    for commit in &decided.commits {
        metrics::get().intended(intents_of(commit).count());
        for same in commit.facts.chunk_by(|one, other| kind_of(one) == kind_of(other)) {
            if let Some(kind) = same.first().and_then(kind_of) {
                metrics::get().changed(commit.origin.source.as_str(), kind.as_str(), same.len() as u64);
            }
        }
    }
}
