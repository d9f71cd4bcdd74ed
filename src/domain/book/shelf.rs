//! A shelf: leads that have a key in common stand together, in every order that people ask for.
//!
//! An order is made when it is first asked for and kept up to date from then on: most accounts are asked for one or two, and one
//! that is only written to needs none.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::index::SortKey;
use super::ordered::{Ordered, Slot};
use super::rows::{Row, Rows};

/// The leads of one key.
#[derive(Debug, Default)]
pub(super) struct Group {
    len: usize,
    /// One for each order that was asked for.
    lists: [OnceLock<Ordered>; 4],
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

/// An order in which the leads of every group can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order(SortKey);

impl Order {
    /// The empty list, for a group that is not there.
    const NONE: &'static Ordered = &Ordered::EMPTY;

    /// The leads of a group in this order.
    pub(super) fn of(self, group: &Group) -> &Ordered {
        group.lists[self.0 as usize].get().unwrap_or(Self::NONE)
    }
}

/// All groups that have a lead, by their keys.
#[derive(Debug, Default)]
pub(super) struct Shelf<K> {
    pub(super) groups: BTreeMap<K, Group>,
    /// Whether the groups have the lists of an order.
    made: [OnceLock<()>; 4],
    /// What the lists take, beside themselves.
    list_bytes: AtomicUsize,
}

impl<K: Ord + Copy> Shelf<K> {
    /// An order of the groups, made now if nobody asked for it before: that sorts all leads once.
    pub(super) fn order(&self, sort: SortKey, rows: &Rows, key: impl Fn(&Row) -> K) -> Order {
        self.made[sort as usize].get_or_init(|| {
            let mut leads: Vec<_> =
                rows.slots().map(|slot| (key(rows.row(slot)), rows.time(slot, sort), slot)).collect();
            leads.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| rows.id(a.2).cmp(rows.id(b.2))));
            for leads in leads.chunk_by(|a, b| a.0 == b.0) {
                if let Some(group) = self.groups.get(&leads[0].0) {
                    self.fill(&group.lists[sort as usize], leads.iter().map(|lead| lead.2));
                }
            }
        });
        Order(sort)
    }

    fn fill(&self, list: &OnceLock<Ordered>, slots: impl ExactSizeIterator<Item = Slot>) {
        let made = Ordered::of_sorted(slots);
        let bytes = made.bytes();
        if list.set(made).is_ok() {
            self.list_bytes.fetch_add(bytes, Relaxed);
        }
    }

    /// The leads of a key in an order that was made.
    pub(super) fn list(&self, key: K, order: Order) -> &Ordered {
        self.groups.get(&key).map_or(Order::NONE, |group| order.of(group))
    }

    /// Takes in a lead that is in its slot.
    pub(super) fn enter(&mut self, key: K, slot: Slot, rows: &Rows) {
        self.groups.entry(key).or_default().len += 1;
        SortKey::ALL.into_iter().for_each(|sort| self.list_in(key, sort, slot, rows));
    }

    /// Takes out a lead that is still in its slot.
    pub(super) fn leave(&mut self, key: K, slot: Slot, rows: &Rows) {
        SortKey::ALL.into_iter().for_each(|sort| self.strike_out(key, sort, slot, rows));
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.len -= 1;
        if group.len == 0 {
            let left: usize = group.lists.iter().filter_map(OnceLock::get).map(Ordered::bytes).sum();
            *self.list_bytes.get_mut() -= left;
            self.groups.remove(&key);
        }
    }

    /// Puts a lead of a group that is there into the list of an order, if there is one.
    pub(super) fn list_in(&mut self, key: K, sort: SortKey, slot: Slot, rows: &Rows) {
        self.change(key, sort, |list| list.insert(slot, against(rows, slot, sort)));
    }

    /// Takes a lead of a group that stays out of the list of an order, if there is one.
    pub(super) fn strike_out(&mut self, key: K, sort: SortKey, slot: Slot, rows: &Rows) {
        self.change(key, sort, |list| list.remove(slot, against(rows, slot, sort)));
    }

    /// Changes a list of an order that was made, and keeps count of what it takes. Where none was made, nothing is looked up.
    fn change(&mut self, key: K, sort: SortKey, how: impl FnOnce(&mut Ordered)) {
        if self.made[sort as usize].get().is_some()
            && let Some(list) = self.groups.get_mut(&key).and_then(|group| group.list_mut(sort))
        {
            let bytes = self.list_bytes.get_mut();
            *bytes -= list.bytes();
            how(list);
            *bytes += list.bytes();
        }
    }

    /// Bytes of memory it takes. A node of the map is two thirds full on average.
    pub(super) fn bytes(&self) -> usize {
        self.list_bytes.load(Relaxed) + self.groups.len() * (size_of::<K>() + size_of::<Group>()) * 3 / 2
    }
}

/// Compares a slot of a list to the one that is sought.
pub(super) fn against(rows: &Rows, slot: Slot, sort: SortKey) -> impl Fn(Slot) -> Ordering {
    let sought = rows.position(slot, sort);
    move |other| rows.position(other, sort).cmp(&sought)
}
