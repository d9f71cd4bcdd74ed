//! The open leads that nobody owns: how many there are, and how long they wait.

use super::selection::{LeadFilter, OwnerSelector};
use crate::domain::book::columns::UNASSIGNED;
use crate::domain::book::{Book, Snapshot};
use crate::domain::time::Timestamp;

impl Book {
    /// How many open leads nobody owns.
    pub fn unassigned(&self) -> usize {
        self.total(&OwnerSelector::Unassigned, &LeadFilter { closed: Some(false), ..LeadFilter::default() })
    }
}

impl Snapshot {
    /// Since when the one of them has had no owner that waits longest. Looks at all leads: the order that would know is made only
    /// for those who page through it, since it takes memory.
    pub fn unassigned_since(&self) -> Option<Timestamp> {
        let rows = self.rows();
        let waiting = rows.slots().map(|slot| rows.row(slot)).filter(|row| row.owner == UNASSIGNED && !row.closed);
        waiting.map(|row| row.since).min()
    }
}
