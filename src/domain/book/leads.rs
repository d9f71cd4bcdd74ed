//! The leads of a book: their columns, found by id, grouped and ordered by the index.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::columns::Columns;
use super::index::Index;
use super::memory::allocated;
use super::ordered::Slot;
use super::rows::Numbered;
use crate::domain::ids::{MemberId, Revision};
use crate::domain::lead::LeadRef;
use crate::domain::time::Timestamp;

/// The leads.
#[derive(Debug, Default)]
pub(super) struct Leads {
    pub(super) columns: Columns,
    pub(super) index: Index,
    table: HashTable<Slot>,
    hasher: DefaultHashBuilder,
}

impl Leads {
    pub(super) fn get(&self, id: &str) -> Option<LeadRef<'_>> {
        self.slot(id).map(|slot| self.columns.lead(slot))
    }

    /// Where a lead is.
    pub(super) fn slot(&self, id: &str) -> Option<Slot> {
        let rows = &self.columns.rows;
        self.table.find(self.hasher.hash_one(id), |slot| rows.id(*slot) == id).copied()
    }

    /// Adds or replaces a lead.
    pub(super) fn put(&mut self, lead: LeadRef<'_>) {
        self.remove(lead.id);
        let owner = self.columns.owner_number(lead.owner);
        let stage = self.columns.stages.intern(lead.stage);
        let slot = self.columns.rows.add(Numbered { lead, owner, stage });
        let Self { table, columns, hasher, .. } = self;
        let hash = hasher.hash_one(lead.id);
        table.insert_unique(hash, slot, |slot| hasher.hash_one(columns.rows.id(*slot)));
        self.index.insert(slot, &self.columns.rows);
    }

    /// Takes a lead out.
    pub(super) fn remove(&mut self, id: &str) {
        let Self { table, columns, hasher, index } = self;
        let Ok(entry) = table.find_entry(hasher.hash_one(id), |slot| columns.rows.id(*slot) == id) else { return };
        let (slot, _) = entry.remove();
        index.remove(slot, &columns.rows);
        columns.rows.take(slot);
    }

    /// Gives a lead another owner, or none.
    pub(super) fn set_owner(&mut self, id: &str, owner: Option<&MemberId>, since: Timestamp, revision: Revision) {
        let Some(slot) = self.slot(id) else { return };
        let owner = self.columns.owner_number(owner.map(MemberId::as_str));
        self.index.lift(slot, &self.columns.rows);
        self.columns.rows.set_owner(slot, owner, since, revision);
        self.index.put_down(slot, &self.columns.rows);
    }

    /// Takes note that others are told of a lead: it waits no longer.
    pub(super) fn set_overdue(&mut self, id: &str) {
        let Some(slot) = self.slot(id) else { return };
        self.index.waiting.leave(slot, &self.columns.rows);
        self.columns.rows.set_overdue(slot);
    }

    /// The leads that have waited for an owner since some moment after this one, longest first.
    pub(super) fn waiting_after(&self, since: Timestamp) -> impl Iterator<Item = LeadRef<'_>> {
        self.index.waiting.after(since, &self.columns.rows).map(|slot| self.columns.lead(slot))
    }

    /// Bytes of memory the leads take, indexes included.
    pub(super) fn bytes(&self) -> usize {
        self.columns.bytes() + allocated(self.table.allocation_size()) + self.index.bytes()
    }
}
