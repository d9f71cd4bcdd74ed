//! What became of a commit whose answer was lost: told by the log, once nobody can be writing it any more.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::batch::Pending;
use super::door::{Failure, MAX_TRANSACTION, RETRY_PAUSE, Writer};
use crate::domain::fact::Commit;
use crate::store;

/// Longest pause between two attempts to reach the database.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is in the log.
    Committed,
    /// It is not, and never will be.
    Lost,
    /// The database did not come back in time to tell.
    Unknown,
}

impl Writer {
    /// Finds out whether the commits of a batch are in the log, for as long as somebody waits.
    pub(super) async fn fate_of(&self, batch: &[Pending], commits: &[Commit]) -> Result<Fate, Failure> {
        // A batch that only remembers request ids can be carried out again: those that were remembered are replayed.
        let Some(first) = commits.first() else { return Ok(Fate::Lost) };
        let give_up = batch.iter().map(|pending| pending.deadline).max();
        let mut pause = RETRY_PAUSE;
        loop {
            match timeout(MAX_TRANSACTION, self.is_committed(first)).await {
                Ok(Ok(committed)) => return Ok(if committed { Fate::Committed } else { Fate::Lost }),
                Ok(Err(Failure::Store(error))) if !error.is_transient() => return Err(error.into()),
                Ok(Err(_)) | Err(_) if give_up.is_some_and(|at| Instant::now() < at) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Ok(Err(_)) | Err(_) => return Ok(Fate::Unknown),
            }
        }
    }

    /// Whether a commit is in the log. Holding the lock of the head proves that the transaction it was lost with is over.
    async fn is_committed(&self, commit: &Commit) -> Result<bool, Failure> {
        let account = &self.resident.id;
        let tx = self.store.begin("recover").await?;
        let locked = store::heads::lock(&tx, account).await?;
        let found = store::facts::commits_from(&tx, account, commit.revision, 1).await?;
        self.resident.catch_up_under_lock(&tx, locked.head.tip(), self.budget).await?;
        tx.end().await?;
        Ok(found.first() == Some(commit))
    }
}
