//! How many leads each owner has in each stage.

use std::cmp::Ordering;

use super::selection::{LeadFilter, OwnerSelector};
use crate::domain::book::Book;
use crate::domain::book::index::SortKey;
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
pub struct OwnerCount<'a> {
    /// By stage, in the order of their names.
    pub stages: Vec<(&'a str, StageCount)>,
    /// Since when the longest-held has its owner, or none.
    pub oldest: Option<Timestamp>,
}

impl OwnerCount<'_> {
    /// In all.
    pub fn total(&self) -> usize {
        self.stages.iter().map(|(_, stage)| stage.open + stage.closed).sum()
    }
}

/// An owner, or nobody, and the counts.
pub type Counted<'a> = (Option<&'a str>, OwnerCount<'a>);

impl Book {
    /// The counts of the leads a filter admits, by owner, nobody first; the unassigned bucket is always there when `owners` is
    /// empty. Otherwise only those members are counted.
    pub fn count<'a>(&'a self, filter: &'a LeadFilter, owners: &[MemberId]) -> Vec<Counted<'a>> {
        let mut counts = Vec::new();
        if owners.is_empty() {
            counts.push((None, OwnerCount::default()));
            self.count_into(&mut counts, filter, &OwnerSelector::Any);
        }
        for owner in owners {
            self.count_into(&mut counts, filter, &OwnerSelector::Member(owner.clone()));
        }
        for (_, count) in &mut counts {
            count.stages.sort_unstable_by_key(|(stage, _)| *stage);
        }
        counts.sort_unstable_by_key(|(owner, _)| *owner);
        counts
    }

    /// Groups come by owner, stage by stage, so what they add to is always the last one.
    fn count_into<'a>(&'a self, counts: &mut Vec<Counted<'a>>, filter: &'a LeadFilter, owner: &OwnerSelector) {
        let (columns, index) = (&self.leads.columns, &self.leads.index);
        let by_age = index.order(SortKey::Assigned, &columns.rows);
        for (key, group) in self.groups(owner, filter) {
            let count = self.matching(group, filter);
            if count == 0 {
                continue;
            }
            let (owner, stage) = (columns.owner(key.owner), columns.stages.word(key.stage));
            if counts.last().is_none_or(|(last, _)| *last != owner) {
                counts.push((owner, OwnerCount::default()));
            }
            let Some((_, counted)) = counts.last_mut() else { continue };
            if counted.stages.last().is_none_or(|(last, _)| *last != stage) {
                counted.stages.push((stage, StageCount::default()));
            }
            if let Some((_, of_stage)) = counted.stages.last_mut() {
                *(if key.closed { &mut of_stage.closed } else { &mut of_stage.open }) += count;
            }
            let mut slots = by_age.of(group).ascending(|_| Ordering::Greater);
            let oldest = slots.find(|slot| filter.admits(columns.rows.row(*slot)));
            let oldest = oldest.map(|slot| columns.rows.time(slot, SortKey::Assigned));
            counted.oldest = counted.oldest.into_iter().chain(oldest).min();
        }
    }
}
