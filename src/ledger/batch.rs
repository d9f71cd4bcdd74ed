//! A batch: write requests of an account that share a transaction, each decided in order on top of those before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Error;
use super::requests::Requests;
use crate::domain::book::{Book, Draft, Look, Touched};
use crate::domain::command::Command;
use crate::domain::fact::Commit;
use crate::domain::outcome::{Answer, Results};
use crate::domain::time::Timestamp;
use crate::store::requests::Used;

/// Whether a write request has been begun. Its caller may withdraw it until then, and can be sure that nothing happens.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim(Arc<AtomicU8>);

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Claim {
    /// Begins the request, unless it was withdrawn.
    pub(super) fn begin(&self) -> bool {
        self.0.compare_exchange(WAITING, BEGUN, Ordering::Relaxed, Ordering::Relaxed) != Err(WITHDRAWN)
    }

    /// Withdraws the request, unless it was begun.
    pub(super) fn withdraw(&self) -> bool {
        self.0.compare_exchange(WAITING, WITHDRAWN, Ordering::Relaxed, Ordering::Relaxed) != Err(BEGUN)
    }
}

/// A write request that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) command: Command,
    pub(super) deadline: Instant,
    pub(super) queued: Instant,
    pub(super) claim: Claim,
    pub(super) answer: oneshot::Sender<Result<Answer, Error>>,
    pub(super) span: tracing::Span,
    /// Keeps the account in memory.
    pub(super) _under_way: Arc<()>,
}

impl Pending {
    /// Begins the request, unless nobody waits for its answer any more.
    pub(super) fn begin(&self) -> bool {
        !self.answer.is_closed() && self.claim.begin()
    }

    /// Gives the answer, if somebody still waits for it.
    pub(super) fn reply(self, answer: Result<Answer, Error>) {
        drop(self.answer.send(answer));
    }

    /// How many items it brings.
    pub(super) fn weight(&self) -> usize {
        self.command.action.items()
    }
}

/// What a batch comes to.
#[derive(Debug)]
pub(super) struct Decided {
    /// The answer to each request, to be given once the rest is committed.
    pub(super) answers: Vec<Result<Answer, Error>>,
    /// What is added to the log.
    pub(super) commits: Vec<Commit>,
    /// What it leaves of everything it touches.
    pub(super) touched: Touched,
    /// The request ids it uses.
    pub(super) used: Vec<Used>,
    /// When it was decided.
    pub(super) at: Timestamp,
}

impl Decided {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.used.is_empty() && matches!(self.touched.look, Look::By(None))
    }
}

/// Decides each command on top of the book and those before it. In the place of a request that was withdrawn there is none.
#[tracing::instrument(level = "debug", skip_all)]
pub(super) fn decide<'a>(
    book: &Book,
    commands: impl Iterator<Item = Option<&'a Command>>,
    known: Vec<Used>,
    now: Timestamp,
) -> Decided {
    let mut requests = Requests::known(known);
    let mut draft = Draft::of(book);
    let mut commits = Vec::new();
    let answers = commands
        .map(|command| {
            let command = command.ok_or(Error::Deadline)?;
            if let Some(answer) = requests.replay(command)? {
                return Ok(answer);
            }
            let decision = draft.decide(&command.action, &command.origin, now)?;
            if !decision.facts.is_empty() {
                let commit = Commit {
                    revision: draft.revision().next(),
                    at: now,
                    origin: command.origin.clone(),
                    facts: decision.facts,
                };
                draft.absorb(&commit);
                commits.push(commit);
            }
            if let Results::Overdue { next, .. } = decision.results {
                draft.looked(next);
            }
            requests.keep(command, draft.revision(), &decision.results);
            Ok(Answer { revision: draft.revision(), replayed: false, results: decision.results })
        })
        .collect();
    Decided { answers, commits, touched: draft.into_touched(), used: requests.into_new(), at: now }
}
