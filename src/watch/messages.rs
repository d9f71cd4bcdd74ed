//! What a watch sends: changes when there are some, and otherwise how far it has looked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Started;
use super::limits::Place;
use crate::context::Moment;
use crate::domain::change::{ChangeFilter, OwnerChange, changes_of};
use crate::domain::fact::Commit;
use crate::domain::ids::Revision;
use crate::history::check;
use crate::ledger::{self, Following};
use crate::store::{self, Store};

/// Changes in one message, about: whole revisions are added until there are so many.
const CHANGES: usize = 500;
/// Changes read from the log at once.
const LOG_PAGE: u64 = 2_000;
/// For how long nothing may be heard of the database before a watch no longer claims to know what happens.
const MAX_SILENCE: Duration = Duration::from_secs(5);

/// A message of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Changes of whole revisions.
    Changes {
        /// The position of the message before.
        previous: Revision,
        /// The position of this one: every change up to it that was asked for was sent.
        revision: Revision,
        /// The changes in between that were asked for.
        changes: Vec<OwnerChange>,
        /// Where the account stands, as far as the replica knows.
        head: Revision,
    },
    /// No change that was asked for.
    Progress {
        /// The position of the message before.
        previous: Revision,
        /// The position of this one.
        revision: Revision,
        /// Where the account stands, as far as the replica knows.
        head: Revision,
    },
}

/// Why a watch ends. It can be resumed after its revision.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Draining {
        /// The last position sent.
        revision: Revision,
    },
    /// What comes next can no longer be told.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

/// What a watch shares with the others.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// Where it reads what is no longer in memory.
    pub(super) log: Store,
    /// When it is its turn to read there.
    pub(super) turn: Arc<Semaphore>,
    /// Whether the service is shutting down.
    pub(super) draining: CancellationToken,
    /// Its place among the watches there may be, given back when dropped.
    pub(super) _place: Place,
}

/// One watch.
#[derive(Debug)]
pub struct Watch {
    /// Where it began: its first message.
    pub started: Started,
    following: Following,
    filter: ChangeFilter,
    surroundings: Surroundings,
    /// Everything up to here has been sent, or looked at and found not to be asked for.
    looked_at: Revision,
    /// The position of the last message.
    sent: Revision,
    /// When the next message is due at the latest.
    due: Instant,
}

impl Watch {
    pub(super) fn new(
        started: Started,
        following: Following,
        filter: ChangeFilter,
        surroundings: Surroundings,
    ) -> Self {
        let due = Instant::now() + started.progress_interval;
        let (looked_at, sent) = (started.revision, started.revision);
        Self { started, following, filter, surroundings, looked_at, sent, due }
    }

    /// The next message, at the latest when one is due.
    pub async fn next(&mut self) -> Result<Message, End> {
        loop {
            if self.surroundings.draining.is_cancelled() {
                return Err(End::Draining { revision: self.sent });
            }
            let changes = self.look_on().await?;
            if !changes.is_empty() {
                return Ok(self.changes(changes));
            }
            if Instant::now() >= self.due {
                return self.progress();
            }
            if self.looked_at >= self.following.head() {
                self.wait().await;
            }
        }
    }

    /// Waits until there is something to look at or to say.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.following.moved() => {}
            () = sleep_until(self.due) => {}
            () = self.surroundings.draining.cancelled() => {}
        }
    }

    /// Looks at some of the commits that were not looked at yet, and returns what was asked for.
    async fn look_on(&mut self) -> Result<Vec<OwnerChange>, ledger::Error> {
        let head = self.following.head();
        if self.looked_at >= head {
            return Ok(Vec::new());
        }
        if let Some(commits) = self.following.recent_after(self.looked_at) {
            return Ok(self.look_at(commits.iter().map(AsRef::as_ref)));
        }
        let commits = self.read_log(head).await?;
        if commits.is_empty() {
            self.looked_at = head;
        }
        Ok(self.look_at(commits.iter()))
    }

    fn look_at<'a>(&mut self, commits: impl Iterator<Item = &'a Commit>) -> Vec<OwnerChange> {
        let mut found = Vec::new();
        for commit in commits {
            found.extend(changes_of(commit).filter(|change| self.filter.matches(change)));
            self.looked_at = commit.revision;
            if found.len() >= CHANGES {
                break;
            }
        }
        found
    }

    /// The next commits with owner changes. The floor is read at the same moment: none of them is missing.
    async fn read_log(&self, until: Revision) -> Result<Vec<Commit>, ledger::Error> {
        // The semaphore is never closed.
        let _turn = self.surroundings.turn.acquire().await;
        let account = self.following.account();
        let snapshot = self.surroundings.log.snapshot("watch").await?;
        let head = store::heads::read(&snapshot, account).await?;
        check(self.looked_at, Moment::Revision(self.looked_at), &head)?;
        Ok(store::facts::owner_changes_between(&snapshot, account, self.looked_at, until, LOG_PAGE).await?)
    }

    fn changes(&mut self, changes: Vec<OwnerChange>) -> Message {
        let (previous, revision, head) = self.advance();
        Message::Changes { previous, revision, changes, head }
    }

    fn progress(&mut self) -> Result<Message, End> {
        if self.following.silence() > MAX_SILENCE {
            return Err(ledger::Error::from(store::Error::TimedOut).into());
        }
        let (previous, revision, head) = self.advance();
        Ok(Message::Progress { previous, revision, head })
    }

    fn advance(&mut self) -> (Revision, Revision, Revision) {
        self.due = Instant::now() + self.started.progress_interval;
        let previous = std::mem::replace(&mut self.sent, self.looked_at);
        (previous, self.sent, self.following.head().max(self.sent))
    }
}
