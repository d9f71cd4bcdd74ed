//! Refusals of the rules.

use ownership_proto::v1::ErrorReason as Reason;

use super::Failure;
use crate::domain::ids::{LeadId, MemberId};
use crate::domain::outcome::{LeadState, Refusal, Refused};
use crate::ledger;

/// The failure of a request whose items stand in the list called `list`, if it is one that has a list.
pub(in crate::rpc) fn refused(error: &ledger::Error, list: Option<&'static str>) -> Failure {
    match (error, list) {
        (ledger::Error::Refused(Refused::Items(items)), Some(list)) if !items.is_empty() => of_items(items, list),
        (other, _) => other.into(),
    }
}

/// Code, reason and metadata are those of the first bad item; each is named.
fn of_items(items: &[(usize, Refusal)], list: &'static str) -> Failure {
    let (index, first) = &items[0];
    let failed = items.len();
    let failure = Failure::from(first);
    let message = match failed {
        1 => format!("{list}[{index}]: {}; nothing was changed", failure.message),
        _ => format!(
            "{failed} items were refused and nothing was changed; the first, {list}[{index}]: {}",
            failure.message
        ),
    };
    let positions = items.iter().map(|(index, _)| *index);
    let failure =
        failure.with("item_index", index).with("failed_count", failed).with("failed_items", ranges(positions));
    let violations = items.iter().map(|(index, refusal)| violation(list, *index, refusal)).collect();
    Failure { violations, message, ..failure }
}

/// Rising numbers, with runs drawn together: `0-3,7`. However many items are bad, their positions get through to the caller.
fn ranges(numbers: impl Iterator<Item = usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            Some(_) | None => ranges.push((number, number)),
        }
    }
    let written =
        ranges.iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
    written.collect::<Vec<_>>().join(",")
}

fn violation(list: &str, index: usize, refusal: &Refusal) -> (String, String) {
    let failure = Failure::from(refusal);
    (format!("{list}[{index}].{}", field(refusal)), format!("{}: {}", failure.reason_name(), failure.message))
}

/// The field of an item that a refusal is about.
fn field(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::LeadNotFound { .. } => "lead_id",
        Refusal::MemberNotFound { .. } => "member_id",
        Refusal::OwnerUnknown { .. } | Refusal::OwnerInactive { .. } | Refusal::OwnerLeaving { .. } => "owner_id",
        Refusal::OwnerMismatch(_) | Refusal::RevisionMismatch(_) => "precondition",
        Refusal::SettingsChanged { .. } => "expected_revision",
        Refusal::ManagerUnknown { .. } | Refusal::ManagerCycle { .. } => "manager_id",
    }
}

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::LeadNotFound { lead } => lead_not_found(lead),
            Refusal::MemberNotFound { member } => member_not_found(member),
            Refusal::OwnerUnknown { owner } => of_owner(Reason::OwnerUnknown, owner, "is not a member of the account"),
            Refusal::OwnerInactive { owner } => of_owner(Reason::OwnerInactive, owner, "is inactive"),
            Refusal::OwnerLeaving { owner } => of_owner(Reason::OwnerLeaving, owner, "is leaving"),
            Refusal::OwnerMismatch(state) => of_lead(Reason::OwnerMismatch, state),
            Refusal::RevisionMismatch(state) => of_lead(Reason::RevisionMismatch, state),
            Refusal::SettingsChanged { current } => {
                let message = format!("the settings have changed since, at revision {current}");
                Self::new(Reason::RevisionMismatch, message).with("current_revision", current)
            }
            Refusal::ManagerUnknown { member, manager } => {
                let message = format!("manager {manager} of member {member} is not a member of the account");
                of_manager(Reason::ManagerUnknown, message, member, manager)
            }
            Refusal::ManagerCycle { member, manager } => {
                let message = format!("manager {manager} reports to member {member}");
                of_manager(Reason::ManagerCycle, message, member, manager)
            }
        }
    }
}

/// The account has no such lead.
pub(super) fn lead_not_found(lead: &LeadId) -> Failure {
    Failure::new(Reason::LeadNotFound, format!("lead {lead} is not known")).with("lead_id", lead)
}

/// The account has no such member.
pub(super) fn member_not_found(member: &MemberId) -> Failure {
    Failure::new(Reason::MemberNotFound, format!("member {member} is not known")).with("member_id", member)
}

fn of_owner(reason: Reason, owner: &MemberId, what: &str) -> Failure {
    Failure::new(reason, format!("member {owner} {what}")).with("owner_id", owner)
}

fn of_lead(reason: Reason, state: &LeadState) -> Failure {
    let LeadState { lead, owner, revision } = state;
    let holder = owner.as_ref().map_or_else(|| "nobody".to_owned(), |owner| format!("member {owner}"));
    Failure::new(reason, format!("lead {lead} is owned by {holder}, since revision {revision}"))
        .with("lead_id", lead)
        .with_some("current_owner_id", owner.as_ref())
        .with("current_revision", revision)
}

fn of_manager(reason: Reason, message: String, member: &MemberId, manager: &MemberId) -> Failure {
    Failure::new(reason, message).with("member_id", member).with("manager_id", manager)
}
