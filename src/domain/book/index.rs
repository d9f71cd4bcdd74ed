//! The index: leads grouped by what people filter by most, in every order they ask for.
//!
//! Counts are kept from the start. An order is made when it is first asked for and kept up to date from then on: most accounts
//! are asked for one or two, and one that is only written to needs none.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::ordered::{Ordered, Slot};
use super::rows::Rows;
use crate::domain::time::Timestamp;

/// What the leads of a group have in common. Numbers stand for interned words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// Lists for each order that was asked for.
type Lists = [OnceLock<Ordered>; 4];

/// The leads of one group.
#[derive(Debug, Default)]
pub(super) struct Group {
    len: usize,
    lists: Lists,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn list_mut(&mut self, sort: SortKey) -> Option<&mut Ordered> {
        let list = &mut self.lists[sort as usize];
        list.get_or_init(Ordered::default);
        list.get_mut()
    }
}

/// All groups that have a lead.
#[derive(Debug, Default)]
pub(super) struct Index {
    groups: BTreeMap<GroupKey, Group>,
    /// Whether the groups have the lists of an order.
    grouped: [OnceLock<()>; 4],
    /// All leads, whosever they are.
    all: Lists,
    /// What the lists take, beside themselves.
    list_bytes: AtomicUsize,
}

/// An order in which the leads of every group can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order(SortKey);

impl Order {
    /// The leads of a group in this order.
    pub(super) fn of(self, group: &Group) -> &Ordered {
        static NONE: Ordered = Ordered::EMPTY;
        group.lists[self.0 as usize].get().unwrap_or(&NONE)
    }
}

impl Index {
    pub(super) fn groups(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.groups.iter()
    }

    pub(super) fn groups_of(&self, owner: u32) -> impl Iterator<Item = (&GroupKey, &Group)> {
        let first = GroupKey { owner, stage: 0, closed: false };
        let last = GroupKey { owner, stage: u32::MAX, closed: true };
        self.groups.range(first..=last)
    }

    /// An order of the groups, made now if nobody asked for it before: that sorts all leads once.
    pub(super) fn order(&self, sort: SortKey, rows: &Rows) -> Order {
        self.grouped[sort as usize].get_or_init(|| {
            let mut leads: Vec<_> =
                rows.slots().map(|slot| (rows.row(slot).group(), rows.time(slot, sort), slot)).collect();
            leads.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| rows.id(a.2).cmp(rows.id(b.2))));
            for leads in leads.chunk_by(|a, b| a.0 == b.0) {
                if let Some(group) = self.groups.get(&leads[0].0) {
                    self.fill(&group.lists[sort as usize], leads.iter().map(|lead| lead.2));
                }
            }
        });
        Order(sort)
    }

    /// All leads in an order, made now if nobody asked for it before.
    pub(super) fn all(&self, sort: SortKey, rows: &Rows) -> &Ordered {
        let list = &self.all[sort as usize];
        if list.get().is_none() {
            let mut leads: Vec<_> = rows.slots().map(|slot| (rows.time(slot, sort), slot)).collect();
            leads.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rows.id(a.1).cmp(rows.id(b.1))));
            self.fill(list, leads.into_iter().map(|lead| lead.1));
        }
        list.get_or_init(Ordered::default)
    }

    fn fill(&self, list: &OnceLock<Ordered>, slots: impl ExactSizeIterator<Item = Slot>) {
        let made = Ordered::of_sorted(slots);
        let bytes = made.bytes();
        if list.set(made).is_ok() {
            self.list_bytes.fetch_add(bytes, Relaxed);
        }
    }

    /// Takes in a lead that is in its slot.
    pub(super) fn insert(&mut self, slot: Slot, rows: &Rows) {
        self.enter_group(slot, rows);
        for sort in SortKey::ALL {
            self.change_all(sort, |list| list.insert(slot, against(rows, slot, sort)));
        }
    }

    /// Takes out a lead that is still in its slot.
    pub(super) fn remove(&mut self, slot: Slot, rows: &Rows) {
        self.leave_group(slot, rows);
        for sort in SortKey::ALL {
            self.change_all(sort, |list| list.remove(slot, against(rows, slot, sort)));
        }
    }

    /// Takes out a lead that is about to get another owner, of what depends on the owner.
    pub(super) fn lift(&mut self, slot: Slot, rows: &Rows) {
        self.leave_group(slot, rows);
        self.change_all(SortKey::Assigned, |list| list.remove(slot, against(rows, slot, SortKey::Assigned)));
    }

    /// Takes a lead in again that was lifted.
    pub(super) fn put_down(&mut self, slot: Slot, rows: &Rows) {
        self.enter_group(slot, rows);
        self.change_all(SortKey::Assigned, |list| list.insert(slot, against(rows, slot, SortKey::Assigned)));
    }

    fn enter_group(&mut self, slot: Slot, rows: &Rows) {
        let group = self.groups.entry(rows.row(slot).group()).or_default();
        group.len += 1;
        for sort in SortKey::ALL.into_iter().filter(|sort| self.grouped[*sort as usize].get().is_some()) {
            if let Some(list) = group.list_mut(sort) {
                change(list, self.list_bytes.get_mut(), |list| list.insert(slot, against(rows, slot, sort)));
            }
        }
    }

    fn leave_group(&mut self, slot: Slot, rows: &Rows) {
        let key = rows.row(slot).group();
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.len -= 1;
        for sort in SortKey::ALL {
            if let Some(list) = group.lists[sort as usize].get_mut() {
                change(list, self.list_bytes.get_mut(), |list| list.remove(slot, against(rows, slot, sort)));
            }
        }
        if group.len == 0 {
            let left: usize = group.lists.iter().filter_map(OnceLock::get).map(Ordered::bytes).sum();
            *self.list_bytes.get_mut() -= left;
            self.groups.remove(&key);
        }
    }

    fn change_all(&mut self, sort: SortKey, how: impl FnOnce(&mut Ordered)) {
        if let Some(list) = self.all[sort as usize].get_mut() {
            change(list, self.list_bytes.get_mut(), how);
        }
    }

    /// Bytes of memory it takes. A node of the map is two thirds full on average.
    pub(super) fn bytes(&self) -> usize {
        self.list_bytes.load(Relaxed) + self.groups.len() * (size_of::<GroupKey>() + size_of::<Group>()) * 3 / 2
    }
}

/// Changes a list and keeps count of what it takes.
fn change(list: &mut Ordered, bytes: &mut usize, how: impl FnOnce(&mut Ordered)) {
    *bytes -= list.bytes();
    how(list);
    *bytes += list.bytes();
}

/// Compares a slot of a list to the one that is sought.
fn against(rows: &Rows, slot: Slot, sort: SortKey) -> impl Fn(Slot) -> Ordering {
    let sought = rows.position(slot, sort);
    move |other| rows.position(other, sort).cmp(&sought)
}
