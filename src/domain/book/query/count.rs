//! How many leads each owner has in each stage.

use std::collections::BTreeMap;

use super::selection::{LeadFilter, OwnerSelector};
use crate::domain::book::Book;
use crate::domain::book::index::{Columns, Group, SortKey};
use crate::domain::book::leads::UNASSIGNED;
use crate::domain::ids::MemberId;
use crate::domain::time::Timestamp;

/// How many leads are in a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageCount {
    /// Open ones.
    pub open: usize,
    /// Closed ones.
    pub closed: usize,
}

/// How many leads somebody has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OwnerCount {
    /// By stage.
    pub stages: BTreeMap<String, StageCount>,
    /// Since when the longest-held has its owner, or none.
    pub oldest: Option<Timestamp>,
}

impl OwnerCount {
    /// In all.
    pub fn total(&self) -> usize {
        self.stages.values().map(|stage| stage.open + stage.closed).sum()
    }

    fn add(&mut self, stage: &str, closed: bool, count: usize, oldest: Option<Timestamp>) {
        let stage = self.stages.entry(stage.to_owned()).or_default();
        *(if closed { &mut stage.closed } else { &mut stage.open }) += count;
        self.oldest = self.oldest.into_iter().chain(oldest).min();
    }
}

impl Book {
    /// The counts of the leads a filter admits, by owner; `None` is the unassigned bucket, which is always there when
    /// `owners` is empty. Otherwise only those members are counted.
    pub fn count(&self, filter: &LeadFilter, owners: &[MemberId]) -> BTreeMap<Option<MemberId>, OwnerCount> {
        let mut counts = BTreeMap::new();
        if owners.is_empty() {
            counts.insert(None, OwnerCount::default());
            self.count_into(&mut counts, filter, &OwnerSelector::Any);
        }
        for owner in owners {
            self.count_into(&mut counts, filter, &OwnerSelector::Member(owner.clone()));
        }
        counts
    }

    fn count_into(
        &self,
        counts: &mut BTreeMap<Option<MemberId>, OwnerCount>,
        filter: &LeadFilter,
        owner: &OwnerSelector,
    ) {
        for (key, group) in self.groups(owner, filter) {
            let count = self.matching(group, filter);
            if count == 0 {
                continue;
            }
            let owner = (key.owner != UNASSIGNED).then(|| self.leads.owner_id(key.owner)).flatten();
            let stage = self.leads.stages.word(key.stage);
            counts.entry(owner).or_default().add(stage, key.closed, count, self.oldest(group, filter));
        }
    }

    fn oldest(&self, group: &Group, filter: &LeadFilter) -> Option<Timestamp> {
        let rows = &self.leads.rows;
        let mut by_age = group.in_order(SortKey::Assigned).ascending(|_| std::cmp::Ordering::Greater);
        by_age.find(|slot| filter.admits(rows.row(*slot))).map(|slot| rows.position(slot, SortKey::Assigned).0)
    }
}
