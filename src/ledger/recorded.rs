//! A commit in memory, with what those who follow the account make of it.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::time::Instant;

use crate::domain::book::memory::{COUNTERS, allocated};
use crate::domain::change::kind_of;
use crate::domain::fact::Commit;

/// Bytes of memory that is taken by what was passed on of the commits of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct PassedOn(Arc<AtomicUsize>);

impl PassedOn {
    /// How many.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A commit that many follow. What they pass on is made once, by the first of them, in a form that the ledger does not know.
#[derive(Debug)]
pub struct Recorded {
    commit: Commit,
    known_since: Instant,
    owner_changes: usize,
    passed_on: OnceLock<Bytes>,
    all_passed_on: PassedOn,
}

impl Recorded {
    /// A commit of the account whose bytes are counted here.
    pub(super) fn of(commit: Commit, all_passed_on: PassedOn) -> Self {
        let owner_changes = commit.facts.iter().filter(|fact| kind_of(fact).is_some()).count();
        Self { commit, known_since: Instant::now(), owner_changes, passed_on: OnceLock::new(), all_passed_on }
    }

    /// Since when it is in memory.
    pub fn known_since(&self) -> Instant {
        self.known_since
    }

    /// How many owners it changed.
    pub fn owner_changes(&self) -> usize {
        self.owner_changes
    }

    /// What is passed on of it: what `make` made of it when somebody first asked.
    pub fn passed_on(&self, make: impl FnOnce(&Commit) -> Bytes) -> Bytes {
        let made = self.passed_on.get_or_init(|| {
            let made = make(&self.commit);
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
impl Drop for Recorded {
    fn drop(&mut self) {
        let gone = self.passed_on.get().map_or(0, bytes);
        self.all_passed_on.0.fetch_sub(gone, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl From<Commit> for Recorded {
    fn from(commit: Commit) -> Self {
        Self::of(commit, PassedOn::default())
    }
}

impl Deref for Recorded {
    type Target = Commit;

    fn deref(&self) -> &Commit {
        &self.commit
    }
}
