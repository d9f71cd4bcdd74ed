//! What became of a commit whose answer was lost: told by the log, once nobody can be writing it any more.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::attempt::{Failure, MAX_TRANSACTION};
use super::door::Visit;
use super::resident::{LoadError, Resident};
use super::writer::{RETRY_PAUSE, Writer};
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
    /// Finds out whether commits of an account are in the log, for as long as somebody waits.
    pub(super) async fn fate_of(&self, visit: &Visit, commits: &[Commit]) -> Result<Fate, Failure> {
        // A batch that only remembers request ids can be carried out again: those that were remembered are replayed.
        let Some(first) = commits.first() else { return Ok(Fate::Lost) };
        let give_up = visit.requests.iter().map(|request| request.deadline).max();
        let mut pause = RETRY_PAUSE;
        loop {
            match timeout(MAX_TRANSACTION, self.is_committed(visit.resident(), first)).await {
                Ok(Ok(committed)) => return Ok(if committed { Fate::Committed } else { Fate::Lost }),
                Ok(Err(LoadError::Store(error))) if !error.is_transient() => return Err(error.into()),
                Ok(Err(_)) | Err(_) if give_up.is_some_and(|at| Instant::now() < at) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Ok(Err(_)) | Err(_) => return Ok(Fate::Unknown),
            }
        }
    }

    /// Whether a commit is in the log. Holding the lock of the head proves that the transaction it was lost with is over.
    async fn is_committed(&self, resident: &Resident, commit: &Commit) -> Result<bool, LoadError> {
        let account = &resident.id;
        let tx = self.store.begin("recover").await?;
        let locked = store::heads::lock(&tx, account).await?;
        let found = store::facts::commits_from(&tx, account, commit.revision, 1).await?;
        resident.catch_up_under_lock(&tx, &locked.head, self.budget).await?;
        tx.end().await?;
        Ok(found.first() == Some(commit))
    }
}
