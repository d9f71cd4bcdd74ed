//! The fold: a book at a revision, plus the next commit, is the book at the next revision.

use super::Book;
use crate::domain::fact::{Commit, Fact};
use crate::domain::ids::{MemberId, Revision};
use crate::domain::lead::{Lead, LeadRef};

/// A commit that is not the next chapter of this book: commits are missing, or facts that it builds on are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("commit {commit} does not follow from the book at revision {book}")]
pub struct DoesNotFollow {
    /// Where the book stands.
    pub book: Revision,
    /// What it was handed.
    pub commit: Revision,
}

impl Book {
    /// Takes over a commit. One that it contains already is ignored: the writer and the tail may both bring it. One that does not
    /// follow changes nothing.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), DoesNotFollow> {
        if commit.revision <= self.revision() {
            return Ok(());
        }
        // The leads of a commit are distinct, so each fact can be checked against the book as it is.
        let follows = commit.revision == self.revision().next() && commit.facts.iter().all(|fact| self.leads_to(fact));
        if !follows {
            return Err(DoesNotFollow { book: self.revision(), commit: commit.revision });
        }
        for fact in &commit.facts {
            self.apply_fact(commit, fact);
        }
        self.tip = commit.tip();
        Ok(())
    }

    /// Whether a fact can come next: it is about a lead that is known, with the owner it is known to have, or is not known yet.
    fn leads_to(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Registered { lead, .. } => self.leads.slot(lead.as_str()).is_none(),
            Fact::LeadUpdated { lead, .. } => self.leads.slot(lead.as_str()).is_some(),
            Fact::OwnerChanged { lead, previous, .. } | Fact::Forgotten { lead, previous } => {
                let known = self.leads.get(lead.as_str());
                known.is_some_and(|known| known.owner == previous.as_ref().map(MemberId::as_str))
            }
            Fact::UnassignedOverdue { lead, ownership, .. } => {
                let known = self.leads.get(lead.as_str());
                known.is_some_and(|known| known.owner.is_none() && known.revision == *ownership)
            }
            Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => true,
        }
    }

    fn apply_fact(&mut self, commit: &Commit, fact: &Fact) {
        match fact {
            Fact::MemberUpserted(member) => self.load_member(member.clone()),
            Fact::SettingsUpdated(settings) => self.load_settings(settings.clone(), commit.revision),
            Fact::OwnerChanged { lead, owner, .. } => {
                self.leads.set_owner(lead.as_str(), owner.as_ref(), commit.at, commit.revision);
            }
            Fact::UnassignedOverdue { lead, .. } => self.leads.set_overdue(lead.as_str()),
            Fact::Registered { lead, .. } | Fact::LeadUpdated { lead, .. } | Fact::Forgotten { lead, .. } => {
                let before = self.leads.get(lead.as_str()).and_then(LeadRef::to_lead);
                match Lead::after(before, fact, commit.revision, commit.at) {
                    Some(after) => self.leads.put(after.as_ref()),
                    None => self.leads.remove(lead.as_str()),
                }
            }
        }
    }
}
