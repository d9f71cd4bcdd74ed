//! What others hear of a commit: changes of owners, and leads that nobody has owned for too long. The rest is for those who ask.

use super::change::{OwnerChange, changes_of, kind_of};
use super::fact::{Commit, Fact};
use super::overdue::{OverdueLead, overdue_of};

/// One thing that others hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A lead got another owner, or became known, or is forgotten.
    Change(OwnerChange),
    /// Nobody has owned a lead for too long.
    Overdue(OverdueLead),
}

/// What it is about. Only things about the same are told together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Who owns leads.
    Owners,
    /// Leads that nobody has owned for too long.
    Overdue,
}

impl Item {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Change(_) => Topic::Owners,
            Self::Overdue(_) => Topic::Overdue,
        }
    }

    /// Its place in its commit.
    pub fn ordinal(&self) -> i32 {
        match self {
            Self::Change(change) => change.ordinal,
            Self::Overdue(lead) => lead.ordinal,
        }
    }
}

/// Whether others hear of anything in a commit.
pub fn is_published(commit: &Commit) -> bool {
    commit.facts.iter().any(|fact| kind_of(fact).is_some() || matches!(fact, Fact::UnassignedOverdue { .. }))
}

/// What others hear of a commit, by ordinal: no request does both, change owners and tell of leads that have none.
pub fn items_of(commit: &Commit) -> impl Iterator<Item = Item> + '_ {
    changes_of(commit).map(Item::Change).chain(overdue_of(commit).map(Item::Overdue))
}
