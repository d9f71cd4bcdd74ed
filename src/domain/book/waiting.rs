//! The leads that wait for an owner: open, owned by nobody, and not told of yet. Those that have waited longest come first.
//!
//! As the orders of a [shelf](super::shelf), the list is made when it is first asked for and kept up to date from then on.

use std::cmp::Ordering;
use std::sync::OnceLock;

use super::index::SortKey;
use super::ordered::{Ordered, Slot};
use super::rows::Rows;
use super::shelf::against;
use crate::domain::time::Timestamp;

/// The leads that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(OnceLock<Ordered>);

impl Waiting {
    /// Those that have waited since some moment after this one.
    pub(super) fn after(&self, since: Timestamp, rows: &Rows) -> impl Iterator<Item = Slot> {
        let list = self.0.get_or_init(|| {
            let mut slots: Vec<_> = rows.slots().filter(|slot| rows.row(*slot).waits()).collect();
            slots.sort_unstable_by(|a, b| {
                rows.position(*a, SortKey::Assigned).cmp(&rows.position(*b, SortKey::Assigned))
            });
            Ordered::of_sorted(slots.into_iter())
        });
        let is_later = move |slot| rows.time(slot, SortKey::Assigned) > since;
        list.ascending(move |slot| if is_later(slot) { Ordering::Greater } else { Ordering::Less })
    }

    /// Takes in a lead that is in its slot, if it waits.
    pub(super) fn enter(&mut self, slot: Slot, rows: &Rows) {
        if let Some(list) = self.list_for(slot, rows) {
            list.insert(slot, against(rows, slot, SortKey::Assigned));
        }
    }

    /// Takes out a lead that is still in its slot, if it waits.
    pub(super) fn leave(&mut self, slot: Slot, rows: &Rows) {
        if let Some(list) = self.list_for(slot, rows) {
            list.remove(slot, against(rows, slot, SortKey::Assigned));
        }
    }

    fn list_for(&mut self, slot: Slot, rows: &Rows) -> Option<&mut Ordered> {
        if rows.row(slot).waits() { self.0.get_mut() } else { None }
    }

    /// Bytes of memory it takes, beside itself.
    pub(super) fn bytes(&self) -> usize {
        self.0.get().map_or(0, Ordered::bytes)
    }
}
