//! A commit in memory, with what those who follow the account make of it.

use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::domain::change::kind_of;
use crate::domain::fact::Commit;

/// A commit that many follow. What they pass on is made once, by the first of them, in a form that the ledger does not know.
#[derive(Debug)]
pub struct Recorded {
    commit: Commit,
    owner_changes: usize,
    passed_on: OnceLock<Bytes>,
}

impl Recorded {
    /// How many owners it changed.
    pub fn owner_changes(&self) -> usize {
        self.owner_changes
    }

    /// What is passed on of it: what `make` made of it when somebody first asked.
    pub fn passed_on(&self, make: impl FnOnce(&Commit) -> Bytes) -> Bytes {
        self.passed_on.get_or_init(|| make(&self.commit)).clone()
    }
}

impl From<Commit> for Recorded {
    fn from(commit: Commit) -> Self {
        let owner_changes = commit.facts.iter().filter(|fact| kind_of(fact).is_some()).count();
        Self { commit, owner_changes, passed_on: OnceLock::new() }
    }
}

impl Deref for Recorded {
    type Target = Commit;

    fn deref(&self) -> &Commit {
        &self.commit
    }
}
