//! The door: the one way by which an account changes. One task for each account and replica takes all requests that wait, locks
//! the account's head, catches the book up if another replica wrote, decides, writes, commits, and answers each.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{broadcast, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument;

use super::batch::{Claim, Decided, Pending, decide};
use super::recovery::Fate;
use super::resident::{LoadError, Resident};
use super::turns::Turns;
use super::{Changed, Error, Options};
use crate::domain::change::kind_of;
use crate::domain::command::Command;
use crate::domain::fact::Commit;
use crate::domain::ids::AccountId;
use crate::domain::intent::intents_of;
use crate::domain::outcome::Answer;
use crate::domain::published::is_published;
use crate::metrics;
use crate::store::{self, Store, Tx, Written};

/// Items that requests bring together which share a transaction, about: bounds what one commit holds up.
const MAX_ITEMS: usize = 4_000;
/// How often a transaction that another one was in the way of is tried.
const MAX_ATTEMPTS: u32 = 4;
/// Wait before a transaction is tried again, times the attempt.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Longest transaction: above what the database itself allows a statement, for the case that it is not heard of at all.
pub(super) const MAX_TRANSACTION: Duration = Duration::from_secs(35);

/// The door of one account.
#[derive(Debug)]
pub(super) struct Door {
    account: AccountId,
    queue: mpsc::Sender<Pending>,
    /// Shared with every request until it is answered.
    under_way: Arc<()>,
}

impl Door {
    /// Opens the door of an account. It closes when this is dropped and everybody is served.
    #[expect(
        clippy::disallowed_methods,
        reason = "the door owns the task that writes, so that no caller can cut a write in half"
    )]
    pub(super) fn open(
        resident: Arc<Resident>,
        store: Store,
        turns: Turns,
        changed: broadcast::Sender<Changed>,
        options: &Options,
    ) -> Self {
        let Options { queue_depth, max_batch, memory_budget_bytes: budget, .. } = *options;
        let (account, (queue, waiting)) = (resident.id.clone(), mpsc::channel(queue_depth));
        tokio::spawn(Writer { resident, store, turns, changed, budget, max_batch }.serve(waiting));
        Self { account, queue, under_way: Arc::default() }
    }

    /// Whether nothing waits or is under way, whether its caller waits or not.
    pub(super) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.under_way) == 1
    }

    /// Whether its writer is gone, which only a defect can bring about.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Has a command carried out. Once it has begun it is finished, whether the caller waits or not.
    pub(super) async fn pass(&self, command: Command, deadline: Instant) -> Result<Answer, Error> {
        let (answer, answered) = oneshot::channel();
        let span = tracing::debug_span!("door", account = %self.account, revision = tracing::field::Empty);
        let _under_way = Arc::clone(&self.under_way);
        let (claim, request) = (Claim::default(), command.origin.request);
        let pending =
            Pending { command, deadline, queued: Instant::now(), claim: claim.clone(), answer, span, _under_way };
        let busy = || Error::Busy { depth: self.queue.max_capacity() };
        self.queue.try_send(pending).map_err(|refused| match refused {
            TrySendError::Full(_) => busy(),
            // The writer is gone; the next caller opens another door.
            TrySendError::Closed(_) => store::Error::TimedOut.into(),
        })?;
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) if claim.withdraw() => Err(Error::Deadline),
            Ok(Err(_)) | Err(_) => Err(Error::OutcomeUnknown { request }),
        }
    }
}

/// Carries out what waits at a door.
pub(super) struct Writer {
    pub(super) resident: Arc<Resident>,
    pub(super) store: Store,
    turns: Turns,
    /// Hears of every account of which something is to be published here.
    changed: broadcast::Sender<Changed>,
    pub(super) budget: usize,
    max_batch: usize,
}

impl Writer {
    async fn serve(self, mut waiting: mpsc::Receiver<Pending>) {
        while let Some(first) = waiting.recv().await {
            let turn = self.turns.take().await;
            // Not in a place that is kept while nobody writes.
            turn.spend(Box::pin(self.carry_out_with(first, &mut waiting))).await;
        }
    }

    /// Carries out a request, with those that arrive until its transaction has begun.
    async fn carry_out_with(&self, first: Pending, waiting: &mut mpsc::Receiver<Pending>) {
        let begun = self.begin().instrument(first.span.clone()).await;
        let mut weight = first.weight();
        let mut batch = vec![first];
        while batch.len() < self.max_batch
            && weight < MAX_ITEMS
            && let Ok(next) = waiting.try_recv()
        {
            weight += next.weight();
            batch.push(next);
        }
        self.carry_out(batch, begun).await;
    }

    /// Where requests share nothing, their accounts do not either.
    async fn begin(&self) -> Result<Tx, store::Error> {
        if self.max_batch > 1 { within(self.store.join("door")).await } else { within(self.store.begin("door")).await }
    }

    async fn carry_out(&self, batch: Vec<Pending>, begun: Result<Tx, store::Error>) {
        let now = Instant::now();
        let Some(first) = batch.first() else { return };
        metrics::get().door_batched(batch.len());
        batch.iter().for_each(|pending| metrics::get().door_waited(now - pending.queued));
        let span = first.span.clone();
        // The statements belong to all of them, and stand in the trace of one: the others say which.
        for other in &batch[1..] {
            other.span.follows_from(&span);
        }
        match self.commit(&batch, begun).instrument(span).await {
            Ok(answers) => batch.into_iter().zip(answers).for_each(|(pending, answer)| pending.reply(answer)),
            // A defect may lie in one of the requests: it must not fail its neighbours.
            Err(Failure::Store(error)) if batch.len() > 1 && !error.is_transient() => {
                self.complain(batch.len(), &error);
                for pending in batch {
                    let begun = within(self.store.begin("door")).instrument(pending.span.clone()).await;
                    Box::pin(self.carry_out(vec![pending], begun)).await;
                }
            }
            Err(failure) => failure.tell(batch),
        }
    }

    /// The defect may lie in how the requests were put together, too. Then all of them succeed one by one, and no caller has
    /// anything to complain of.
    fn complain(&self, requests: usize, error: &store::Error) {
        metrics::get().door_split();
        let (account, error) = (&self.resident.id, error as &dyn std::error::Error);
        tracing::error!(%account, requests, error, "a batch failed for a defect: its requests are carried out one by one");
    }

    /// Decides and commits a batch, again if another transaction was in the way, and finds out what became of a commit whose
    /// answer was lost.
    async fn commit(
        &self,
        batch: &[Pending],
        mut begun: Result<Tx, store::Error>,
    ) -> Result<Vec<Result<Answer, Error>>, Failure> {
        let mut attempt = 1;
        loop {
            match self.attempt(batch, begun).await {
                Ok(answers) => return Ok(answers),
                Err(Failure::Store(store::Error::Conflict(_))) if attempt < MAX_ATTEMPTS => {
                    metrics::get().store_retried("door");
                    sleep(RETRY_PAUSE * attempt).await;
                    attempt += 1;
                }
                Err(Failure::Unknown(decided)) => match self.fate_of(batch, &decided.commits).await? {
                    Fate::Committed => {
                        count(batch, &decided);
                        self.tell(self.news(&decided.commits));
                        return Ok(decided.answers);
                    }
                    Fate::Lost if attempt < MAX_ATTEMPTS => attempt += 1,
                    Fate::Lost => return Err(store::Error::TimedOut.into()),
                    Fate::Unknown => return Err(Failure::Unknown(decided)),
                },
                Err(failure) => return Err(failure),
            }
            begun = within(self.store.begin("door")).await;
        }
    }

    async fn attempt(
        &self,
        batch: &[Pending],
        begun: Result<Tx, store::Error>,
    ) -> Result<Vec<Result<Answer, Error>>, Failure> {
        let tx = begun?;
        let decided = match within(self.prepare(&tx, batch)).await {
            Ok(decided) => decided,
            Err(failure) => {
                if matches!(failure, Failure::TooLarge { .. }) {
                    // Nothing was written, and nothing is wrong with what others have.
                    tx.end().await?;
                }
                return Err(failure);
            }
        };
        if decided.is_empty() {
            tx.end().await?;
            return Ok(decided.answers);
        }
        match timeout(MAX_TRANSACTION, tx.commit()).await {
            Ok(Ok(())) => self.settle(batch, decided),
            Ok(Err(store::Error::CommitUnknown(_))) | Err(_) => Err(Failure::Unknown(Box::new(decided))),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// Everything up to the commit.
    async fn prepare(&self, tx: &Tx, batch: &[Pending]) -> Result<Decided, Failure> {
        let (account, began) = (&self.resident.id, Instant::now());
        let locked = store::heads::lock(tx, account).await?;
        metrics::get().head_locked(began.elapsed());
        self.resident.catch_up_under_lock(tx, locked.head.tip(), self.budget).await?;
        let ids: Vec<_> = batch.iter().filter_map(|pending| pending.command.request_id()).collect();
        let known = store::requests::find(tx, account, &ids).await?;
        // From here on requests are begun. Those that were withdrawn meanwhile never will be.
        let commands = batch.iter().map(|pending| pending.begin().then_some(&pending.command));
        let decided = self.resident.read(|book| {
            // Nobody can have moved the head since it was locked, so nobody can have moved the book past it.
            let caught_up = book.tip() == locked.head.tip();
            caught_up.then(|| decide(book, commands, known, locked.now))
        });
        let decided = decided.ok_or(store::Error::TimedOut)?;
        let Decided { commits, touched, used, .. } = &decided;
        if !decided.is_empty() {
            store::write(tx, account, &Written { commits, touched, used, at: locked.now }).await?;
        } else if locked.is_new {
            store::heads::forget_new(tx, account).await?;
        }
        Ok(decided)
    }

    /// Shows what is committed to readers and watchers, before anybody is answered.
    fn settle(&self, batch: &[Pending], decided: Decided) -> Result<Vec<Result<Answer, Error>>, Failure> {
        count(batch, &decided);
        let news = self.news(&decided.commits);
        if self.resident.take_over(decided.commits).is_err() {
            // Nobody else can have moved the head since it was locked, but a reload may have moved the book.
            tracing::debug!(account = %self.resident.id, "the book was reloaded during a commit");
        }
        self.tell(news);
        Ok(decided.answers)
    }

    /// What is worth telling of commits.
    fn news(&self, commits: &[Commit]) -> Option<Changed> {
        let last = commits.iter().rfind(|commit| is_published(commit))?;
        Some(Changed { account: self.resident.id.clone(), revision: last.revision })
    }

    /// Tells those who publish, if there is something to tell.
    fn tell(&self, news: Option<Changed>) {
        if let Some(changed) = news {
            // Without anybody who listens, nobody needs to know.
            let _ = self.changed.send(changed);
        }
    }
}

/// Does not wait longer for a step of a transaction than it may last.
async fn within<T, E: From<store::Error>>(step: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    timeout(MAX_TRANSACTION, step).await.unwrap_or_else(|_| Err(store::Error::TimedOut.into()))
}

/// Counts what was done, with one reading for all facts of a commit that did the same to owners.
fn count(batch: &[Pending], decided: &Decided) {
    for (pending, answer) in batch.iter().zip(&decided.answers) {
        let Ok(answer) = answer else { continue };
        pending.span.record("revision", answer.revision.0);
        metrics::get().written(pending.command.action.name());
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

/// Why a batch got no answers.
#[derive(Debug)]
pub(super) enum Failure {
    Store(store::Error),
    /// The account does not fit into memory.
    TooLarge {
        needed: usize,
        budget: usize,
    },
    /// It may or may not be committed.
    Unknown(Box<Decided>),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::Store(error),
            LoadError::TooLarge { needed, budget } => Self::TooLarge { needed, budget },
        }
    }
}

impl Failure {
    /// Answers a batch that came to nothing, or to nobody knows what.
    fn tell(self, batch: Vec<Pending>) {
        match self {
            Self::Unknown(decided) => batch.into_iter().zip(decided.answers).for_each(|(pending, answer)| {
                let request = pending.command.origin.request;
                pending.reply(match answer {
                    Ok(answer) if answer.replayed => Ok(answer),
                    Ok(_) => Err(Error::OutcomeUnknown { request }),
                    // It was decided on top of what may not have happened.
                    Err(_) => Err(store::Error::TimedOut.into()),
                });
            }),
            Self::Store(error) => {
                let error = Arc::new(error);
                batch.into_iter().for_each(|pending| pending.reply(Err(Error::Store(Arc::clone(&error)))));
            }
            Self::TooLarge { needed, budget } => {
                batch.into_iter().for_each(|pending| pending.reply(Err(Error::TooLarge { needed, budget })));
            }
        }
    }
}
