//! What is known of each lead, by slot, with owners and stages as numbers.

use super::ordered::Slot;
use super::rows::Rows;
use super::words::Words;
use crate::domain::lead::LeadRef;

/// The number that stands for "nobody" among the owners: that of the empty word, which is no id.
pub(super) const UNASSIGNED: u32 = 0;

/// The columns. Cheap to clone: a clone shares everything until one side writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    pub(super) rows: Rows,
    pub(super) owners: Words,
    pub(super) stages: Words,
}

impl Columns {
    /// A lead.
    pub(super) fn lead(&self, slot: Slot) -> LeadRef<'_> {
        let (row, id, attributes) = self.rows.entry(slot);
        LeadRef {
            id,
            owner: self.owner(row.owner),
            since: row.since,
            revision: row.revision,
            stage: self.stages.word(row.stage),
            stage_entered_at: row.stage_entered_at,
            closed: row.closed,
            created_at: row.created_at,
            source: row.source,
            attributes,
            observed_at: row.observed_at,
            overdue: row.overdue,
        }
    }

    /// The owner that a number stands for.
    pub(super) fn owner(&self, number: u32) -> Option<&str> {
        (number != UNASSIGNED).then(|| self.owners.word(number))
    }

    /// The number of an owner, or of nobody.
    pub(super) fn owner_number(&mut self, owner: Option<&str>) -> u32 {
        owner.map_or(UNASSIGNED, |owner| self.owners.intern(owner))
    }

    /// Bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes() + self.owners.bytes() + self.stages.bytes()
    }
}
