//! Which leads a question is about.

use crate::domain::actor::Source;
use crate::domain::book::Book;
use crate::domain::book::columns::UNASSIGNED;
use crate::domain::book::index::GroupKey;
use crate::domain::book::rows::Row;
use crate::domain::book::shelf::Group;
use crate::domain::book::words::Words;
use crate::domain::ids::MemberId;
use crate::domain::time::TimeRange;

/// Whose leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerSelector {
    /// Those of a member.
    Member(MemberId),
    /// Those that nobody owns.
    Unassigned,
    /// All.
    Any,
}

/// Which of them. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadFilter {
    /// In one of these stages.
    pub stages: Vec<String>,
    /// Closed, or open.
    pub closed: Option<bool>,
    /// Created in this span.
    pub created: TimeRange,
    /// Owned by the present owner, or nobody, since a moment in this span.
    pub assigned: TimeRange,
    /// In the present stage since a moment in this span.
    pub stage_entered: TimeRange,
    /// Created through one of these doors.
    pub sources: Vec<Source>,
}

/// The same, as the index knows owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of an owner, or of nobody.
    Of(u32),
    /// All.
    Anyones,
    /// None: the member never had one.
    Nones,
}

impl OwnerSelector {
    /// Whose leads it asks for. `owners` are all who ever had one.
    pub(super) fn whose(&self, owners: &Words) -> Whose {
        match self {
            Self::Any => Whose::Anyones,
            Self::Unassigned => Whose::Of(UNASSIGNED),
            Self::Member(member) => owners.number(member.as_str()).map_or(Whose::Nones, Whose::Of),
        }
    }
}

impl LeadFilter {
    /// Whether it asks for a lead whose group it asks for.
    pub(in crate::domain::book) fn admits(&self, row: &Row) -> bool {
        self.created.contains(row.created_at)
            && self.assigned.contains(row.since)
            && self.stage_entered.contains(row.stage_entered_at)
            && (self.sources.is_empty() || self.sources.contains(&row.source))
    }

    /// The numbers of the stages it asks for, if it does not ask for all.
    pub(in crate::domain::book) fn stage_numbers(&self, stages: &Words) -> Option<Vec<u32>> {
        let numbers = || self.stages.iter().filter_map(|stage| stages.number(stage)).collect();
        (!self.stages.is_empty()).then(numbers)
    }

    /// Whether it asks for leads of a group. `stages` are the numbers of those it asks for.
    pub(in crate::domain::book) fn admits_group(&self, group: &GroupKey, stages: Option<&[u32]>) -> bool {
        stages.is_none_or(|stages| stages.contains(&group.stage))
            && self.closed.is_none_or(|closed| closed == group.closed)
    }

    /// Whether it asks for leads of every group.
    pub(super) fn admits_all_groups(&self) -> bool {
        self.stages.is_empty() && self.closed.is_none()
    }

    /// Whether it asks for every lead of the groups it asks for.
    pub(super) fn admits_whole_groups(&self) -> bool {
        self.stage_entered.is_open() && self.admits_all_but_stage_entered()
    }

    /// Whether, within a group, only the time in stage matters.
    pub(super) fn admits_all_but_stage_entered(&self) -> bool {
        self.created.is_open() && self.assigned.is_open() && self.sources.is_empty()
    }
}

impl Book {
    /// The groups that hold the leads somebody owns and a filter may admit.
    pub(super) fn groups<'a>(
        &'a self,
        owner: &OwnerSelector,
        filter: &'a LeadFilter,
    ) -> Box<dyn Iterator<Item = (&'a GroupKey, &'a Group)> + 'a> {
        let index = &self.leads.index;
        let stages = filter.stage_numbers(&self.leads.columns.stages);
        let wanted = move |(key, _): &(&GroupKey, &Group)| filter.admits_group(key, stages.as_deref());
        match owner.whose(&self.leads.columns.owners) {
            Whose::Anyones => Box::new(index.groups().filter(wanted)),
            Whose::Of(owner) => Box::new(index.groups_of(owner).filter(wanted)),
            Whose::Nones => Box::new(std::iter::empty()),
        }
    }
}
