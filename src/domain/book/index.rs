//! The index: leads grouped by what people filter by most, each group in every order people ask for.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::ordered::{Ordered, Slot};
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
    pub(super) const ALL: [Self; 4] = [Self::Created, Self::Assigned, Self::StageEntered, Self::LeadId];
}

/// Where a lead stands in an order.
pub(super) type Position<'a> = (Timestamp, &'a str);

/// What the index must know of the columns: where a slot stands in an order.
pub(super) trait Columns {
    fn position(&self, slot: Slot, key: SortKey) -> Position<'_>;
}

/// The leads of one group in every order.
#[derive(Debug, Default)]
pub(super) struct Group {
    lists: [Ordered; 4],
}

impl Group {
    pub(super) fn in_order(&self, key: SortKey) -> &Ordered {
        &self.lists[key as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.in_order(SortKey::LeadId).len()
    }
}

/// All groups that have a lead.
#[derive(Debug, Default)]
pub(super) struct Index {
    groups: BTreeMap<GroupKey, Group>,
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

    pub(super) fn insert(&mut self, key: GroupKey, slot: Slot, columns: &impl Columns) {
        let group = self.groups.entry(key).or_default();
        for sort in SortKey::ALL {
            group.lists[sort as usize].insert(slot, against(columns, slot, sort));
        }
    }

    pub(super) fn remove(&mut self, key: GroupKey, slot: Slot, columns: &impl Columns) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        for sort in SortKey::ALL {
            group.lists[sort as usize].remove(slot, against(columns, slot, sort));
        }
        if group.lists[0].is_empty() {
            self.groups.remove(&key);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let lists = self.groups.values().flat_map(|group| &group.lists).map(Ordered::bytes).sum::<usize>();
        lists + self.groups.len() * (size_of::<GroupKey>() + size_of::<Group>())
    }
}

fn against(columns: &impl Columns, slot: Slot, sort: SortKey) -> impl Fn(Slot) -> Ordering {
    let sought = columns.position(slot, sort);
    move |other| columns.position(other, sort).cmp(&sought)
}
