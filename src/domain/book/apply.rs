//! The fold: a book at a revision, plus the next commit, is the book at the next revision.

use super::Book;
use crate::domain::fact::{Commit, Fact};
use crate::domain::ids::Revision;
use crate::domain::lead::Lead;

/// Commits between the book and the one it was handed are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("commit {commit} does not follow the book's revision {book}")]
pub struct Gap {
    /// Where the book stands.
    pub book: Revision,
    /// What it was handed.
    pub commit: Revision,
}

impl Book {
    /// Takes over a commit. One that it contains already is ignored: the writer and the tail may both bring it.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), Gap> {
        if commit.revision <= self.revision {
            return Ok(());
        }
        if commit.revision != self.revision.next() {
            return Err(Gap { book: self.revision, commit: commit.revision });
        }
        for fact in &commit.facts {
            self.apply_fact(commit, fact);
        }
        self.revision = commit.revision;
        Ok(())
    }

    fn apply_fact(&mut self, commit: &Commit, fact: &Fact) {
        match fact {
            Fact::MemberUpserted(member) => self.roster.put(member.clone()),
            Fact::SettingsUpdated(settings) => self.load_settings(settings.clone(), commit.revision),
            Fact::OwnerChanged { lead, owner, .. } => {
                self.leads.set_owner(lead, owner.as_ref(), commit.at, commit.revision);
            }
            Fact::Registered { lead, .. } | Fact::LeadUpdated { lead, .. } | Fact::Forgotten { lead, .. } => {
                match Lead::after(self.leads.get(lead), fact, commit.revision, commit.at) {
                    Some(after) => self.leads.put(after),
                    None => self.leads.remove(lead),
                }
            }
        }
    }
}
