//! What became of a request: the closed vocabulary of results and refusals.

use serde::{Deserialize, Serialize};

use super::ids::{BatchId, LeadId, MemberId, Revision};
use super::time::Timestamp;

/// What became of one lead or member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Had no owner and has one.
    Assigned,
    /// Had another owner.
    Reassigned,
    /// Had an owner and has none.
    Unassigned,
    /// Was as asked.
    Unchanged,
    /// Was new and is known.
    Registered,
    /// Was changed.
    Updated,
    /// What was sent is older than what is known.
    Stale,
    /// Was known and is forgotten.
    Forgotten,
}

/// What a successful write wants the caller to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// The new owner has more open leads than the member's capacity.
    OverCapacity,
}

/// Why a rule says no. Nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The account has no such lead.
    LeadNotFound {
        /// The lead.
        lead: LeadId,
    },
    /// The account has no such member.
    MemberNotFound {
        /// The member.
        member: MemberId,
    },
    /// The member that should own the lead is not of the account.
    OwnerUnknown {
        /// The member.
        owner: MemberId,
    },
    /// The member that should own the lead is inactive.
    OwnerInactive {
        /// The member.
        owner: MemberId,
    },
    /// The member that should own the lead is leaving.
    OwnerLeaving {
        /// The member.
        owner: MemberId,
    },
    /// Somebody else than expected owns the lead.
    OwnerMismatch(LeadState),
    /// The lead's owner has changed since the revision that was named.
    RevisionMismatch(LeadState),
    /// The settings have changed since the revision that was named.
    SettingsChanged {
        /// The revision that last changed them.
        current: Revision,
    },
    /// The manager is not a member of the account.
    ManagerUnknown {
        /// The member.
        member: MemberId,
        /// The manager.
        manager: MemberId,
    },
    /// The manager reports to the member.
    ManagerCycle {
        /// The member.
        member: MemberId,
        /// The manager.
        manager: MemberId,
    },
}

/// What a refusal tells of a lead, so that the caller needs no second read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadState {
    /// The lead.
    pub lead: LeadId,
    /// Who owns it.
    pub owner: Option<MemberId>,
    /// The revision of its ownership.
    pub revision: Revision,
}

/// The refusal of a request, or of those of its items that were bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The request as a whole.
    Whole(Refusal),
    /// Items of it, by position; at least one.
    Items(Vec<(usize, Refusal)>),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Whole(refusal)
    }
}

/// What became of the owner of a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerResult {
    /// What happened.
    pub outcome: Outcome,
    /// The owner before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<MemberId>,
    /// The owner after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<MemberId>,
    /// Since when.
    pub since: Timestamp,
    /// The revision of the ownership.
    pub revision: Revision,
    /// What the caller may want to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// What became of one item: done, or refused and skipped.
pub type ItemResult<T> = Result<T, Refusal>;

/// What became of a request that was not refused. Kept with the request id, so that a repeat gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Results {
    /// Owners were assigned or taken.
    Owners {
        /// By item.
        items: Vec<ItemResult<OwnerResult>>,
        /// The batch id that was recorded.
        batch: Option<BatchId>,
    },
    /// Leads were registered, updated or forgotten.
    Leads(Vec<ItemResult<Outcome>>),
    /// Members were added or replaced.
    Members(Vec<Outcome>),
    /// A member was made inactive.
    Deactivated {
        /// Updated or unchanged.
        outcome: Outcome,
        /// Open leads left behind.
        open: i64,
        /// Closed leads left behind.
        closed: i64,
    },
    /// The settings were replaced.
    Settings(Outcome),
    /// Others are told of overdue leads.
    Overdue {
        /// Of how many.
        told: usize,
        /// When to look for the next one, if any waits.
        next: Option<Timestamp>,
    },
}

/// The answer to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The revision the request made, or the account's present one if it changed nothing.
    pub revision: Revision,
    /// Whether this is the answer to an earlier request with the same id.
    pub replayed: bool,
    /// What became of it.
    pub results: Results,
}
