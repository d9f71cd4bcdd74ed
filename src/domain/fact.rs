//! Facts: what the log of an account is made of.

use super::actor::Origin;
use super::ids::{LeadId, MemberId, Revision};
use super::lead::Projection;
use super::member::Member;
use super::settings::Settings;
use super::time::Timestamp;

/// One thing that happened. The state of an account is the fold of its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A lead became known.
    Registered {
        /// The lead.
        lead: LeadId,
        /// Its first owner.
        owner: Option<MemberId>,
        /// Whether that owner is to be told.
        notify: bool,
        /// What is known of it.
        projection: Projection,
    },
    /// A known lead got another owner, or none.
    OwnerChanged {
        /// The lead.
        lead: LeadId,
        /// The owner before.
        previous: Option<MemberId>,
        /// The owner after; never the same.
        owner: Option<MemberId>,
        /// Whether that owner is to be told.
        notify: bool,
    },
    /// A lead is no longer known.
    Forgotten {
        /// The lead.
        lead: LeadId,
        /// Its last owner.
        previous: Option<MemberId>,
    },
    /// What is known of a lead changed.
    LeadUpdated {
        /// The lead.
        lead: LeadId,
        /// All that is known of it now.
        projection: Projection,
    },
    /// Others are told that nobody has owned a lead for too long.
    UnassignedOverdue {
        /// The lead.
        lead: LeadId,
        /// Since when nobody owns it.
        since: Timestamp,
        /// The revision of its ownership: with the lead, it names the episode.
        ownership: Revision,
        /// All that is known of it, as before: a release that does not know this fact reads an update that changes nothing.
        projection: Projection,
    },
    /// A member was added or changed.
    MemberUpserted(Member),
    /// The settings were replaced.
    SettingsUpdated(Settings),
}

impl Fact {
    /// The lead it is about.
    pub fn lead(&self) -> Option<&LeadId> {
        match self {
            Self::Registered { lead, .. }
            | Self::OwnerChanged { lead, .. }
            | Self::Forgotten { lead, .. }
            | Self::LeadUpdated { lead, .. }
            | Self::UnassignedOverdue { lead, .. } => Some(lead),
            Self::MemberUpserted(_) | Self::SettingsUpdated(_) => None,
        }
    }
}

/// The facts of one committed request: all of one revision, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its revision.
    pub revision: Revision,
    /// When, by the clock of the database; never before the commit before.
    pub at: Timestamp,
    /// Who, from where, and why.
    pub origin: Origin,
    /// What happened, by ordinal.
    pub facts: Vec<Fact>,
}

impl Commit {
    /// Where a log ends of which it is the last.
    pub fn tip(&self) -> Tip {
        Tip { revision: self.revision, at: self.at }
    }
}

/// Where a log ends. A revision that was made at another time is another one: the database was put back in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tip {
    /// Its last revision.
    pub revision: Revision,
    /// When that was made.
    pub at: Timestamp,
}

impl Tip {
    /// Whether a log that ended here may end there now.
    pub fn may_become(self, later: Self) -> bool {
        later == self || later.revision > self.revision
    }
}
