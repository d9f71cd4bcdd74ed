//! What writes of all kinds share: what they say about themselves, what must hold, and what became of them.

use std::fmt;

use ownership_proto::v1 as pb;
use uuid::Uuid;

use super::{Invalid, id, optional_id};
use crate::domain::actor::{Actor, Origin, Source};
use crate::domain::command::{FailureMode, Precondition};
use crate::domain::ids::{CallerId, Revision};
use crate::domain::outcome::{Outcome, Refusal, Warning};
use crate::rpc::status::Failure;

/// What a write says about itself, and under which request id it may happen at most once.
pub(in crate::rpc) fn origin(context: Option<pb::WriteContext>, caller: &CallerId) -> Result<Origin, Invalid> {
    let pb::WriteContext { request_id, member_id, source, reason, batch_id } = context.unwrap_or_default();
    Ok(Origin {
        actor: Actor { caller: caller.clone(), member: optional_id(member_id, format_args!("context.member_id"))? },
        source: if source == 0 { Source::Api } else { source_of(source, format_args!("context.source"))? },
        reason,
        batch: optional_id(batch_id, format_args!("context.batch_id"))?,
        request: request(&request_id)?,
    })
}

fn request(id: &str) -> Result<Option<Uuid>, Invalid> {
    let parse = |id| Uuid::parse_str(id).map_err(|_| Invalid::field("context.request_id", "must be a UUID"));
    (!id.is_empty()).then(|| parse(id)).transpose()
}

fn source_of(number: i32, path: fmt::Arguments<'_>) -> Result<Source, Invalid> {
    Ok(match pb::Source::try_from(number).unwrap_or_default() {
        pb::Source::Unspecified => return Err(Invalid::not_known(path)),
        pb::Source::Ui => Source::Ui,
        pb::Source::Api => Source::Api,
        pb::Source::Import => Source::Import,
        pb::Source::Form => Source::Form,
        pb::Source::Automation => Source::Automation,
        pb::Source::Rotation => Source::Rotation,
        pb::Source::Offboarding => Source::Offboarding,
        pb::Source::System => Source::System,
    })
}

/// The sources of the list called `list`.
pub(super) fn sources<C: FromIterator<Source>>(numbers: Vec<i32>, list: &'static str) -> Result<C, Invalid> {
    let numbered = numbers.into_iter().enumerate();
    numbered.map(|(index, number)| source_of(number, format_args!("{list}[{index}]"))).collect()
}

/// What to do when some items are refused.
pub(super) fn failure_mode(number: i32) -> Result<FailureMode, Invalid> {
    match pb::FailureMode::try_from(number) {
        Ok(pb::FailureMode::Unspecified | pb::FailureMode::FailAll) => Ok(FailureMode::FailAll),
        Ok(pb::FailureMode::SkipFailed) => Ok(FailureMode::SkipFailed),
        Err(_) => Err(Invalid::not_known("failure_mode")),
    }
}

/// What must hold for the lead of the item at `path`, which is empty or ends in a dot.
pub(super) fn precondition(
    precondition: Option<pb::Precondition>,
    path: fmt::Arguments<'_>,
) -> Result<Option<Precondition>, Invalid> {
    use pb::precondition::Kind;
    let Some(pb::Precondition { kind }) = precondition else { return Ok(None) };
    let kind = kind.ok_or_else(|| Invalid::not_set(format_args!("{path}precondition.kind")))?;
    Ok(Some(match kind {
        Kind::Revision(revision) => Precondition::Revision(Revision(revision)),
        Kind::OwnerId(owner) => Precondition::Owner(id(owner, format_args!("{path}precondition.owner_id"))?),
        Kind::Unassigned(()) => Precondition::Unassigned,
    }))
}

impl From<Outcome> for pb::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Assigned => Self::Assigned,
            Outcome::Reassigned => Self::Reassigned,
            Outcome::Unassigned => Self::Unassigned,
            Outcome::Unchanged => Self::Unchanged,
            Outcome::Registered => Self::Registered,
            Outcome::Updated => Self::Updated,
            Outcome::Stale => Self::Stale,
            Outcome::Forgotten => Self::Forgotten,
        }
    }
}

/// An outcome as it stands in a message.
pub(super) fn outcome(outcome: Outcome) -> i32 {
    pb::Outcome::from(outcome).into()
}

/// Warnings as they stand in a message.
pub(super) fn warnings(warnings: Vec<Warning>) -> Vec<i32> {
    let warning = |warning| match warning {
        Warning::OverCapacity => pb::Warning::OverCapacity.into(),
    };
    warnings.into_iter().map(warning).collect()
}

/// Why an item was refused, where the others were not.
pub(super) fn item_error(refusal: &Refusal) -> pb::ItemError {
    let state = match refusal {
        Refusal::OwnerMismatch(state) | Refusal::RevisionMismatch(state) => Some(state),
        Refusal::LeadNotFound { .. }
        | Refusal::MemberNotFound { .. }
        | Refusal::OwnerUnknown { .. }
        | Refusal::OwnerInactive { .. }
        | Refusal::OwnerLeaving { .. }
        | Refusal::SettingsChanged { .. }
        | Refusal::ManagerUnknown { .. }
        | Refusal::ManagerCycle { .. } => None,
    };
    let failure = Failure::from(refusal);
    pb::ItemError {
        reason: failure.reason_name().to_owned(),
        message: failure.message,
        current_owner_id: state.and_then(|state| state.owner.clone()).map(String::from),
        current_revision: state.map_or(0, |state| state.revision.0),
    }
}
