//! The book: the whole present state of one account at one revision, in memory.
//!
//! It is a pure fold of the account's log: [`Book::apply`] takes one commit after the other, the files in `query` answer
//! questions, and those in `decide` turn commands into facts or refusals over a [`Draft`], which is the book plus what was
//! decided since.

mod apply;
mod columns;
mod decide;
mod draft;
mod index;
mod leads;
pub mod memory;
mod ordered;
pub mod query;
mod roster;
mod rows;
mod shelf;
mod snapshot;
#[cfg(test)]
mod tests;
mod waiting;
mod words;

use std::sync::Arc;

pub use apply::DoesNotFollow;
pub use decide::Decision;
pub use draft::{Draft, Load, Look, Touched};
pub use index::SortKey;
pub use roster::NameKey;
pub use snapshot::Snapshot;

use leads::Leads;
use roster::Roster;

use super::fact::Tip;
use super::ids::Revision;
use super::lead::LeadRef;
use super::member::Member;
use super::settings::Settings;
use super::time::Timestamp;

/// The state of one account at one revision.
#[derive(Debug, Default)]
pub struct Book {
    tip: Tip,
    leads: Leads,
    roster: Arc<Roster>,
    settings: Settings,
    settings_revision: Revision,
}

impl Book {
    /// An empty book that will be filled by the `load_*` methods with the state at `revision`.
    pub fn at(revision: Revision) -> Self {
        Self { tip: Tip { revision, ..Tip::default() }, ..Self::default() }
    }

    /// Takes over when the revision of a snapshot was made.
    pub fn load_time(&mut self, at: Timestamp) {
        self.tip.at = at;
    }

    /// Takes over a lead of a snapshot.
    pub fn load_lead(&mut self, lead: LeadRef<'_>) {
        self.leads.put(lead);
    }

    /// Takes over a member of a snapshot.
    pub fn load_member(&mut self, member: Member) {
        Arc::make_mut(&mut self.roster).put(member);
    }

    /// Takes over the settings of a snapshot.
    pub fn load_settings(&mut self, settings: Settings, revision: Revision) {
        self.settings = settings;
        self.settings_revision = revision;
    }

    /// The revision it stands at.
    pub fn revision(&self) -> Revision {
        self.tip.revision
    }

    /// The same, and when it was made.
    pub fn tip(&self) -> Tip {
        self.tip
    }

    /// A lead.
    pub fn lead(&self, id: &str) -> Option<LeadRef<'_>> {
        self.leads.get(id)
    }

    /// A member.
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.roster.get(id)
    }

    /// The settings, and the revision that last changed them.
    pub fn settings(&self) -> (&Settings, Revision) {
        (&self.settings, self.settings_revision)
    }
}
