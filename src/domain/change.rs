//! Owner changes: the facts that a timeline is made of, and which of them somebody wants to see.

use std::collections::HashSet;

use super::actor::{Origin, Source};
use super::fact::{Commit, Fact};
use super::ids::{LeadId, MemberId, Revision};
use super::time::Timestamp;

/// What happened to the owner of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The lead became known.
    Registered,
    /// From nobody to a member.
    Assigned,
    /// From one member to another.
    Reassigned,
    /// From a member to nobody.
    Unassigned,
    /// The lead is no longer known.
    Forgotten,
}

impl ChangeKind {
    /// The word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Assigned => "assigned",
            Self::Reassigned => "reassigned",
            Self::Unassigned => "unassigned",
            Self::Forgotten => "forgotten",
        }
    }
}

/// One lead, one fact about its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerChange {
    /// The request it belongs to.
    pub revision: Revision,
    /// Its place within that request.
    pub ordinal: i32,
    /// The lead.
    pub lead: LeadId,
    /// What happened.
    pub kind: ChangeKind,
    /// The owner before.
    pub previous: Option<MemberId>,
    /// The owner after.
    pub owner: Option<MemberId>,
    /// Whether that owner is to be told.
    pub notify: bool,
    /// When.
    pub at: Timestamp,
    /// Who, from where, and why.
    pub origin: Origin,
}

/// What a fact says about the owner of a lead, if anything.
pub fn kind_of(fact: &Fact) -> Option<ChangeKind> {
    Some(match fact {
        Fact::Registered { .. } => ChangeKind::Registered,
        Fact::OwnerChanged { owner: None, .. } => ChangeKind::Unassigned,
        Fact::OwnerChanged { previous: None, .. } => ChangeKind::Assigned,
        Fact::OwnerChanged { .. } => ChangeKind::Reassigned,
        Fact::Forgotten { .. } => ChangeKind::Forgotten,
        Fact::LeadUpdated { .. } | Fact::UnassignedOverdue { .. } => return None,
        Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => return None,
    })
}

/// The owner changes among the facts of a commit.
pub fn changes_of(commit: &Commit) -> impl Iterator<Item = OwnerChange> + '_ {
    (0..).zip(&commit.facts).filter_map(|(ordinal, fact)| {
        let (lead, previous, owner, notify) = match fact {
            Fact::Registered { lead, owner, notify, .. } => (lead, None, owner.clone(), *notify),
            Fact::OwnerChanged { lead, previous, owner, notify } => (lead, previous.clone(), owner.clone(), *notify),
            Fact::Forgotten { lead, previous } => (lead, previous.clone(), None, false),
            Fact::LeadUpdated { .. } | Fact::UnassignedOverdue { .. } => return None,
            Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => return None,
        };
        Some(OwnerChange {
            revision: commit.revision,
            ordinal,
            lead: lead.clone(),
            kind: kind_of(fact)?,
            previous,
            owner,
            notify,
            at: commit.at,
            origin: commit.origin.clone(),
        })
    })
}

/// Which changes. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    /// The previous or the new owner is one of these.
    pub owners: HashSet<MemberId>,
    /// Or the change enters or leaves the unassigned bucket.
    pub unassigned: bool,
    /// One of these leads.
    pub leads: HashSet<LeadId>,
    /// One of these kinds.
    pub kinds: HashSet<ChangeKind>,
    /// From one of these sources.
    pub sources: HashSet<Source>,
}

impl ChangeFilter {
    /// Whether it asks for the change.
    pub fn matches(&self, change: &OwnerChange) -> bool {
        self.matches_owner(change)
            && (self.leads.is_empty() || self.leads.contains(&change.lead))
            && (self.kinds.is_empty() || self.kinds.contains(&change.kind))
            && (self.sources.is_empty() || self.sources.contains(&change.origin.source))
    }

    fn matches_owner(&self, change: &OwnerChange) -> bool {
        let named = |owner: &Option<MemberId>| owner.as_ref().is_some_and(|owner| self.owners.contains(owner));
        (self.owners.is_empty() && !self.unassigned)
            || named(&change.previous)
            || named(&change.owner)
            || (self.unassigned && touches_unassigned(change))
    }
}

/// Whether the lead is in the unassigned bucket before or after. A lead that is not known is in no bucket.
fn touches_unassigned(change: &OwnerChange) -> bool {
    match change.kind {
        ChangeKind::Registered => change.owner.is_none(),
        ChangeKind::Forgotten => change.previous.is_none(),
        ChangeKind::Assigned | ChangeKind::Unassigned => true,
        ChangeKind::Reassigned => false,
    }
}
