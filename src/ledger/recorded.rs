//! Commits in memory, with what those who follow the account make of them.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::time::Instant;

use crate::domain::book::memory::{COUNTERS, allocated};
use crate::domain::change::kind_of;
use crate::domain::fact::Commit;
use crate::domain::ids::Revision;

/// A commit in memory.
#[derive(Debug)]
pub struct Recorded {
    commit: Commit,
    known_since: Instant,
    owner_changes: usize,
}

impl Recorded {
    /// A commit that comes into memory now.
    pub(super) fn of(commit: Commit) -> Self {
        let owner_changes = commit.facts.iter().filter(|fact| kind_of(fact).is_some()).count();
        Self { commit, known_since: Instant::now(), owner_changes }
    }

    /// Since when it is in memory.
    pub fn known_since(&self) -> Instant {
        self.known_since
    }

    /// How many owners it changed.
    pub fn owner_changes(&self) -> usize {
        self.owner_changes
    }
}

impl Deref for Recorded {
    type Target = Commit;

    fn deref(&self) -> &Commit {
        &self.commit
    }
}

/// Bytes of memory that is taken by what was passed on of the commits of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct PassedOn(Arc<AtomicUsize>);

impl PassedOn {
    /// How many.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Commits that many read on with, one behind the other without a gap. What they pass on is made once, by the first of them, in a form
/// that the ledger does not know.
#[derive(Debug)]
pub struct Stretch {
    after: Revision,
    commits: Vec<Arc<Recorded>>,
    goes_on: bool,
    passed_on: OnceLock<Bytes>,
    all_passed_on: PassedOn,
}

impl Stretch {
    /// The commits after a revision, and whether there were more of them already.
    pub(super) fn of(after: Revision, commits: Vec<Arc<Recorded>>, goes_on: bool, all_passed_on: PassedOn) -> Self {
        Self { after, commits, goes_on, passed_on: OnceLock::new(), all_passed_on }
    }

    /// The revision it follows.
    pub(super) fn after(&self) -> Revision {
        self.after
    }

    /// Where it ends.
    pub fn until(&self) -> Revision {
        self.commits.last().map_or(self.after, |commit| commit.revision)
    }

    /// The commits.
    pub fn commits(&self) -> &[Arc<Recorded>] {
        &self.commits
    }

    /// Whether more of them were in memory.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// How many owners it changed.
    pub fn owner_changes(&self) -> usize {
        self.commits.iter().map(|commit| commit.owner_changes).sum()
    }

    /// What is passed on of it: what `make` made of it when somebody first asked.
    pub fn passed_on(&self, make: impl FnOnce(&[Arc<Recorded>]) -> Bytes) -> Bytes {
        let made = self.passed_on.get_or_init(|| {
            let made = make(&self.commits);
            self.all_passed_on.0.fetch_add(bytes(&made), Ordering::Relaxed);
            made
        });
        made.clone()
    }
}

/// What is passed on is shared: it has counters of its own, and says twice where it is.
fn bytes(passed_on: &Bytes) -> usize {
    allocated(passed_on.len()) + allocated(COUNTERS + size_of::<usize>())
}

/// Wherever it was, in the account or in the hands of somebody who follows: it is gone now. What is on its way to a reader is
/// counted no longer; that is two messages of each at most.
impl Drop for Stretch {
    fn drop(&mut self) {
        let gone = self.passed_on.get().map_or(0, bytes);
        self.all_passed_on.0.fetch_sub(gone, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl From<Vec<Commit>> for Stretch {
    fn from(commits: Vec<Commit>) -> Self {
        let commits = commits.into_iter().map(|commit| Arc::new(Recorded::of(commit))).collect();
        Self::of(Revision::ZERO, commits, false, PassedOn::default())
    }
}
