//! A book as it was at one revision, for long reading: writers go on meanwhile, and copy what they change.

use std::sync::Arc;

use super::Book;
use super::columns::Columns;
use super::query::{LeadFilter, SenderKey, sender};
use super::roster::Roster;
use super::rows::Rows;
use crate::domain::ids::Revision;
use crate::domain::sender::Resolution;
use crate::domain::settings::Settings;

/// The leads, members and settings of a book at one revision. Making it takes microseconds; as long as it lives, a writer copies
/// each few hundred leads once before it changes one of them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    revision: Revision,
    columns: Columns,
    roster: Arc<Roster>,
    settings: Settings,
}

impl Book {
    /// The book as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            revision: self.revision(),
            columns: self.leads.columns.clone(),
            roster: Arc::clone(&self.roster),
            settings: self.settings.clone(),
        }
    }
}

impl Snapshot {
    /// The revision it stands at.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.columns.rows
    }

    /// In how many parts it can be read, each of a few hundred leads.
    pub fn parts(&self) -> usize {
        self.columns.rows.chunks()
    }

    /// The leads of a part that a filter admits, with the keys of their senders, in no particular order.
    pub fn part<'a>(&'a self, part: usize, filter: &'a LeadFilter) -> impl Iterator<Item = (&'a str, SenderKey)> {
        let stages = filter.stage_numbers(&self.columns.stages);
        let slots = self.columns.rows.slots_of(part).filter(move |slot| {
            let row = self.columns.rows.row(*slot);
            filter.admits_group(&row.group(), stages.as_deref()) && filter.admits(row)
        });
        slots.map(|slot| (self.columns.rows.id(slot), SenderKey::of_owner(self.columns.rows.row(slot).owner)))
    }

    /// Who owns the leads of a key.
    #[cfg(test)]
    pub(super) fn owner(&self, key: SenderKey) -> Option<&str> {
        self.columns.owner(u32::try_from(key.number()).unwrap() - 1)
    }

    /// The sender for the leads of a key.
    pub fn sender(&self, key: SenderKey) -> Resolution<'_> {
        sender(key, &self.columns, &self.roster, &self.settings)
    }
}
