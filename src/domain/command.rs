//! Commands: what a caller wants changed, taken apart and checked for shape.

use uuid::Uuid;

use super::actor::Origin;
use super::attributes::Attributes;
use super::ids::{CallerId, LeadId, MemberId, Revision};
use super::lead::Projection;
use super::member::{Member, Standing};
use super::settings::Settings;
use super::time::Timestamp;

/// A write.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who, from where, and why.
    pub origin: Origin,
    /// What makes it happen at most once, if the caller wants that.
    pub once: Option<Once>,
    /// What is to be done.
    pub action: Action,
}

impl Command {
    /// What it is known by if it is to happen at most once: the caller, and the caller's id for it.
    pub fn request_id(&self) -> Option<(&CallerId, Uuid)> {
        self.once.as_ref().map(|once| (&self.origin.actor.caller, once.request))
    }
}

/// Makes a write happen at most once.
#[derive(Debug, Clone)]
pub struct Once {
    /// The caller's id for the request.
    pub request: Uuid,
    /// The method called.
    pub method: &'static str,
    /// SHA-256 of the request as it was sent.
    pub fingerprint: [u8; 32],
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Give leads owners, or take them.
    Assign(Assign),
    /// Make leads known.
    Register(Register),
    /// Bring what is known of leads up to date.
    Update(Update),
    /// Forget leads, each once.
    Forget(Vec<LeadId>),
    /// Add or replace members, each once.
    UpsertMembers(Vec<MemberUpsert>),
    /// Make a member inactive.
    Deactivate(MemberId),
    /// Replace the settings.
    UpdateSettings {
        /// The settings to have.
        settings: Settings,
        /// Only if they have not changed since.
        expected: Option<Revision>,
    },
    /// Tell others of leads that nobody has owned for too long.
    TellOverdue {
        /// Not of those that had been so before.
        counted_from: Timestamp,
    },
}

impl Action {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Assign(_) => "assign",
            Self::Register(_) => "register",
            Self::Update(_) => "update",
            Self::Forget(_) => "forget",
            Self::UpsertMembers(_) => "upsert_members",
            Self::Deactivate(_) => "deactivate",
            Self::UpdateSettings { .. } => "update_settings",
            Self::TellOverdue { .. } => "tell_overdue",
        }
    }

    /// How many items it names.
    pub fn items(&self) -> usize {
        match self {
            Self::Assign(assign) => assign.items.len(),
            Self::Register(register) => register.leads.len(),
            Self::Update(update) => update.updates.len(),
            Self::Forget(leads) => leads.len(),
            Self::UpsertMembers(members) => members.len(),
            Self::Deactivate(_) | Self::UpdateSettings { .. } | Self::TellOverdue { .. } => 1,
        }
    }
}

/// What to do when some items are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureMode {
    /// Refuse everything.
    FailAll,
    /// Apply the others.
    SkipFailed,
}

/// Give leads owners, or take them.
#[derive(Debug, Clone)]
pub struct Assign {
    /// Each lead once.
    pub items: Vec<AssignItem>,
    /// What to do about bad ones.
    pub mode: FailureMode,
    /// Whether the new owners are to be told; as the settings say, if absent.
    pub notify: Option<bool>,
}

/// One lead of an [`Assign`].
#[derive(Debug, Clone)]
pub struct AssignItem {
    /// The lead.
    pub lead: LeadId,
    /// Who is to own it; nobody when absent.
    pub owner: Option<MemberId>,
    /// What must hold.
    pub precondition: Option<Precondition>,
}

/// What must hold for a lead before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Its ownership is of this revision.
    Revision(Revision),
    /// This member owns it.
    Owner(MemberId),
    /// Nobody owns it.
    Unassigned,
}

/// Make leads known.
#[derive(Debug, Clone)]
pub struct Register {
    /// Each lead once.
    pub leads: Vec<NewLead>,
    /// Owner of those that name none.
    pub default_owner: Option<MemberId>,
    /// What to do about bad ones.
    pub mode: FailureMode,
    /// Whether the owners are to be told.
    pub notify: bool,
}

/// A lead to be made known. Times that the caller left out are filled in by the door.
#[derive(Debug, Clone)]
pub struct NewLead {
    /// The lead.
    pub lead: LeadId,
    /// Its owner.
    pub owner: Option<MemberId>,
    /// The stage it is in.
    pub stage: String,
    /// When it entered that stage; when it was created, if absent.
    pub stage_entered_at: Option<Timestamp>,
    /// Whether it is closed.
    pub closed: bool,
    /// When it was created; now, if absent.
    pub created_at: Option<Timestamp>,
    /// Further facts.
    pub attributes: Attributes,
    /// The time at the source that this reflects; now, if absent.
    pub observed_at: Option<Timestamp>,
}

/// Bring what is known of leads up to date.
#[derive(Debug, Clone)]
pub struct Update {
    /// Each lead once.
    pub updates: Vec<LeadUpdate>,
    /// What to do about bad ones.
    pub mode: FailureMode,
}

/// What changed of a lead. What is absent stays.
#[derive(Debug, Clone)]
pub struct LeadUpdate {
    /// The lead.
    pub lead: LeadId,
    /// The time at the source that this reflects.
    pub observed_at: Timestamp,
    /// The stage.
    pub stage: Option<String>,
    /// When it entered that stage.
    pub stage_entered_at: Option<Timestamp>,
    /// Whether it is closed.
    pub closed: Option<bool>,
    /// All its attributes.
    pub attributes: Option<Attributes>,
}

impl LeadUpdate {
    /// What is known of the lead after the update. A stage that changes was entered when the change was observed,
    /// unless the update says when.
    pub fn applied_to(&self, known: &Projection) -> Projection {
        let Self { lead: _, observed_at, stage, stage_entered_at, closed, attributes } = self;
        let moved = stage.as_ref().is_some_and(|stage| *stage != known.stage);
        Projection {
            stage: stage.clone().unwrap_or_else(|| known.stage.clone()),
            stage_entered_at: stage_entered_at.unwrap_or(if moved { *observed_at } else { known.stage_entered_at }),
            closed: closed.unwrap_or(known.closed),
            created_at: known.created_at,
            source: known.source,
            attributes: attributes.clone().unwrap_or_else(|| known.attributes.clone()),
            observed_at: *observed_at,
        }
    }
}

/// A member to be added or replaced.
#[derive(Debug, Clone)]
pub struct MemberUpsert {
    /// The member; its standing and time count only where the two fields below are absent.
    pub member: Member,
    /// The standing asked for; the present one, or active, if absent.
    pub standing: Option<Standing>,
    /// The time at the source that this reflects; now, if absent.
    pub observed_at: Option<Timestamp>,
}
