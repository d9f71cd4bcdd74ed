//! The index: where leads stand, by what people ask for most. All of them, those of each owner, and those of each owner in each
//! stage, open or closed; each in every order.

use super::ordered::{Ordered, Slot};
use super::rows::{Row, Rows};
use super::shelf::{Group, Order, Shelf};
use super::waiting::Waiting;
use crate::domain::time::Timestamp;

/// What the leads of a group have in common. Numbers stand for interned words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    /// The owner; [`UNASSIGNED`](super::leads::UNASSIGNED) for nobody.
    pub(super) owner: u32,
    /// The stage.
    pub(super) stage: u32,
    /// Whether they are closed.
    pub(super) closed: bool,
}

/// By what a list of leads is ordered. Leads with equal times follow each other by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When the lead was created.
    Created,
    /// Since when it has its owner, or none.
    Assigned,
    /// When it entered its stage.
    StageEntered,
    /// Nothing but the id.
    LeadId,
}

impl SortKey {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Created, Self::Assigned, Self::StageEntered, Self::LeadId];
}

/// Where a lead stands in an order.
pub(super) type Position<'a> = (Timestamp, &'a str);

/// All leads, thrice, and those that wait for an owner.
#[derive(Debug, Default)]
pub(super) struct Index {
    groups: Shelf<GroupKey>,
    owners: Shelf<u32>,
    all: Shelf<()>,
    pub(super) waiting: Waiting,
}

impl Index {
    pub(super) fn groups(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.groups.groups.iter()
    }

    pub(super) fn groups_of(&self, owner: u32) -> impl Iterator<Item = (&GroupKey, &Group)> {
        let first = GroupKey { owner, stage: 0, closed: false };
        let last = GroupKey { owner, stage: u32::MAX, closed: true };
        self.groups.groups.range(first..=last)
    }

    /// An order of the groups. Sorts all leads when it is first asked for, as each of the following does.
    pub(super) fn order(&self, sort: SortKey, rows: &Rows) -> Order {
        self.groups.order(sort, rows, Row::group)
    }

    /// The leads of an owner, or of nobody, in an order.
    pub(super) fn of_owner(&self, owner: u32, sort: SortKey, rows: &Rows) -> &Ordered {
        self.owners.list(owner, self.owners.order(sort, rows, |row| row.owner))
    }

    /// All leads in an order.
    pub(super) fn all(&self, sort: SortKey, rows: &Rows) -> &Ordered {
        self.all.list((), self.all.order(sort, rows, |_| ()))
    }

    /// Takes in a lead that is in its slot.
    pub(super) fn insert(&mut self, slot: Slot, rows: &Rows) {
        self.all.enter((), slot, rows);
        self.enter_owner(slot, rows);
    }

    /// Takes out a lead that is still in its slot.
    pub(super) fn remove(&mut self, slot: Slot, rows: &Rows) {
        self.all.leave((), slot, rows);
        self.leave_owner(slot, rows);
    }

    /// Takes out a lead that is about to get another owner, of what depends on the owner.
    pub(super) fn lift(&mut self, slot: Slot, rows: &Rows) {
        self.all.strike_out((), SortKey::Assigned, slot, rows);
        self.leave_owner(slot, rows);
    }

    /// Takes a lead in again that was lifted.
    pub(super) fn put_down(&mut self, slot: Slot, rows: &Rows) {
        self.all.list_in((), SortKey::Assigned, slot, rows);
        self.enter_owner(slot, rows);
    }

    fn enter_owner(&mut self, slot: Slot, rows: &Rows) {
        let row = rows.row(slot);
        self.owners.enter(row.owner, slot, rows);
        self.groups.enter(row.group(), slot, rows);
        self.waiting.enter(slot, rows);
    }

    fn leave_owner(&mut self, slot: Slot, rows: &Rows) {
        let row = rows.row(slot);
        self.owners.leave(row.owner, slot, rows);
        self.groups.leave(row.group(), slot, rows);
        self.waiting.leave(slot, rows);
    }

    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.groups.bytes() + self.owners.bytes() + self.all.bytes() + self.waiting.bytes()
    }
}
