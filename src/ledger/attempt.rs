//! One attempt to carry requests out: one transaction, from the lock of the heads to the commit.

use std::collections::HashMap;
use std::iter;
use std::panic::AssertUnwindSafe;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, timeout};

use super::Error;
use super::batch::{Decided, decide};
use super::door::Visit;
use super::resident::LoadError;
use super::writer::{Writer, complain};
use crate::domain::ids::AccountId;
use crate::metrics;
use crate::store::heads::{self, Locked};
use crate::store::requests::{self, Used};
use crate::store::{self, Tx, Written};

/// Longest transaction: above what the database itself allows a statement, for the case that it is not heard of at all.
pub(super) const MAX_TRANSACTION: Duration = Duration::from_secs(35);

/// Revisions that an account may be behind its head and yet share a transaction.
const NEAR: i64 = 1_000;

/// Why an account got no answers.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may fare better in a transaction of its own.
    Apart,
    /// The database failed.
    Store(Arc<store::Error>),
    /// The account does not fit into memory.
    TooLarge { needed: usize, budget: usize },
    /// It may or may not be committed.
    Unknown(Box<Decided>),
}

/// How accounts are written to.
#[derive(Clone, Copy)]
enum Manner {
    /// Several, while others wait to prepare theirs: nothing and nobody is waited for that may take long.
    Together,
    /// One, for which whatever it takes is done.
    Alone,
}

/// What became of an account in a transaction.
type Outcome = Result<Decided, Failure>;

/// A transaction that waits to be committed, and what is decided in it.
pub(super) type Prepared = (Tx, Vec<Outcome>);

impl Writer {
    /// Decides the requests of some accounts, and writes what they come to, of each as a whole or not at all. In the order of the
    /// accounts.
    pub(super) async fn prepare_together(
        &self,
        begun: Result<Tx, store::Error>,
        visits: &[Visit],
    ) -> Result<Prepared, store::Error> {
        let tx = begun?;
        let prepare = Box::pin(within(self.prepare(&tx, visits, Manner::Together)));
        match AssertUnwindSafe(prepare).catch_unwind().await {
            Ok(outcomes) => Ok((tx, outcomes?)),
            // A defect that has been told of. It may lie in one of them.
            Err(_) => Ok((tx, visits.iter().map(|_| Err(Failure::Apart)).collect())),
        }
    }

    /// What becomes of it.
    pub(super) async fn conclude(visits: &[Visit], prepared: Result<Prepared, store::Error>) -> Vec<Outcome> {
        let committed = match prepared {
            Ok((tx, outcomes)) => commit(tx, visits, outcomes).await,
            Err(error) => Err(error),
        };
        committed.unwrap_or_else(|error| failed(visits, error))
    }

    /// Decides and commits the requests of one account alone, whose head is waited for.
    pub(super) async fn attempt_alone(&self, visit: &Visit) -> Outcome {
        let tx = self.begin().await?;
        let visits = slice::from_ref(visit);
        let prepared = within(self.prepare(&tx, visits, Manner::Alone)).await?;
        let mut outcomes = commit(tx, visits, prepared).await?;
        outcomes.pop().unwrap_or(Err(Failure::Apart))
    }

    /// Everything up to the commit.
    async fn prepare(&self, tx: &Tx, visits: &[Visit], manner: Manner) -> Result<Vec<Outcome>, store::Error> {
        let mut heads = self.lock(tx, visits, manner).await?;
        let mut reached = Vec::with_capacity(visits.len());
        for visit in visits {
            let locked = heads.remove(&visit.resident().id);
            reached.push(self.catch_up(tx, visit, locked, manner).await?);
        }
        let present = visits.iter().zip(&reached).filter(|(_, reached)| reached.is_ok());
        let ids = present.flat_map(|(visit, _)| visit.request_ids());
        let mut known = requests::find(tx, ids).await?;
        // From here on requests are begun. Those that were withdrawn meanwhile never will be.
        let outcomes = visits.iter().zip(reached).map(|(visit, reached)| {
            let known = known.remove(&visit.resident().id).unwrap_or_default();
            reached.and_then(|locked| decide_at(visit, &locked, known))
        });
        let outcomes: Vec<_> = outcomes.collect();
        let written: Vec<_> = written(visits, &outcomes).collect();
        if !written.is_empty() {
            store::write(tx, &written).await?;
        }
        Ok(outcomes)
    }

    /// Locks the heads. Who is alone waits for its head, and gets one if it has none.
    async fn lock(
        &self,
        tx: &Tx,
        visits: &[Visit],
        manner: Manner,
    ) -> Result<HashMap<AccountId, Locked>, store::Error> {
        let began = Instant::now();
        let accounts: Vec<_> = visits.iter().map(|visit| &visit.resident().id).collect();
        let locked = match manner {
            Manner::Together => heads::lock_free(tx, &accounts).await?,
            Manner::Alone => {
                let mut locked = HashMap::new();
                for account in accounts {
                    locked.insert(account.clone(), heads::lock(tx, account).await?);
                }
                locked
            }
        };
        metrics::get().head_locked(began.elapsed());
        Ok(locked)
    }

    /// Brings the book of an account to where its head is locked.
    async fn catch_up(
        &self,
        tx: &Tx,
        visit: &Visit,
        locked: Option<Locked>,
        manner: Manner,
    ) -> Result<Result<Locked, Failure>, store::Error> {
        let Some(locked) = locked else { return Ok(Err(Failure::Apart)) };
        let (resident, head) = (visit.resident(), &locked.head);
        if let Manner::Together = manner {
            let is_near = head.revision.0 - resident.revision().0 <= NEAR;
            let reached = is_near && resident.follows_to(tx, head).await?;
            return Ok(reached.then_some(locked).ok_or(Failure::Apart));
        }
        match resident.catch_up_under_lock(tx, head, self.budget).await {
            Ok(()) => Ok(Ok(locked)),
            Err(LoadError::Store(error)) => Err(error),
            Err(LoadError::TooLarge { needed, budget }) => Ok(Err(Failure::TooLarge { needed, budget })),
        }
    }
}

/// What it means for each of the accounts that their transaction failed. It may be the fault of one of them: on its own each hears
/// what is wrong with what it wrote itself.
fn failed(visits: &[Visit], error: store::Error) -> Vec<Outcome> {
    let requests = visits.iter().map(|visit| visit.requests.len()).sum();
    let apart = error.is_conflict() || (!error.is_transient() && requests > 1);
    if error.is_conflict() {
        metrics::get().store_retried("door");
    } else if apart {
        complain(requests, &error);
    }
    let error = Arc::new(error);
    let failure = || if apart { Failure::Apart } else { Failure::Store(Arc::clone(&error)) };
    visits.iter().map(|_| Err(failure())).collect()
}

/// Makes durable what was decided.
async fn commit(tx: Tx, visits: &[Visit], prepared: Vec<Outcome>) -> Result<Vec<Outcome>, store::Error> {
    if written(visits, &prepared).next().is_none() {
        tx.end().await?;
        return Ok(prepared);
    }
    match timeout(MAX_TRANSACTION, tx.commit()).await {
        Ok(Ok(())) => Ok(prepared),
        Ok(Err(store::Error::CommitUnknown(_))) | Err(_) => {
            let unknown = |decided| Err(Failure::Unknown(Box::new(decided)));
            Ok(prepared.into_iter().map(|outcome| outcome.and_then(unknown)).collect())
        }
        Ok(Err(error)) => Err(error),
    }
}

/// Decides the requests of an account where its head is locked.
fn decide_at(visit: &Visit, locked: &Locked, known: Vec<Used>) -> Outcome {
    let commands = visit.requests.iter().map(|request| request.begin().then_some(&request.command));
    visit.resident().read(|book| {
        // Nobody can have moved the head since it was locked, so nobody but who loads the book anew can have moved that.
        let caught_up = book.tip() == locked.head.tip();
        caught_up.then(|| decide(book, commands, known, locked.now)).ok_or(Failure::Apart)
    })
}

/// What there is to write.
fn written<'a>(visits: &'a [Visit], outcomes: &'a [Outcome]) -> impl Iterator<Item = Written<'a>> {
    visits.iter().zip(outcomes).filter_map(|(visit, outcome)| {
        let decided = outcome.as_ref().ok().filter(|decided| !decided.is_empty())?;
        let Decided { commits, touched, used, at, answers: _ } = decided;
        Some(Written { account: &visit.resident().id, commits, touched, used, at: *at })
    })
}

/// Does not wait longer for a step of a transaction than it may last.
pub(super) async fn within<T>(step: impl Future<Output = Result<T, store::Error>>) -> Result<T, store::Error> {
    timeout(MAX_TRANSACTION, step).await.unwrap_or(Err(store::Error::TimedOut))
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Failure {
    /// Answers requests that came to nothing, or to nobody knows what.
    pub(super) fn tell(self, visit: &mut Visit) {
        match self {
            Self::Apart => Self::from(store::Error::TimedOut).tell(visit),
            Self::Store(error) => visit.answer(iter::repeat_with(|| Err(Error::Store(Arc::clone(&error))))),
            Self::TooLarge { needed, budget } => {
                visit.answer(iter::repeat_with(|| Err(Error::TooLarge { needed, budget })));
            }
            Self::Unknown(decided) => {
                let requests: Vec<_> = visit.requests.iter().map(|request| request.command.origin.request).collect();
                visit.answer(decided.answers.into_iter().zip(requests).map(|(answer, request)| match answer {
                    Ok(answer) if answer.replayed => Ok(answer),
                    Ok(_) => Err(Error::OutcomeUnknown { request }),
                    // It was decided on top of what may not have happened.
                    Err(_) => Err(store::Error::TimedOut.into()),
                }));
            }
        }
    }
}
