//! Assign and unassign, one lead or many: the same rule for all.

use std::collections::HashMap;

use super::{Decision, Item, Terms, gather};
use crate::domain::book::Draft;
use crate::domain::command::{Assign, AssignItem, Precondition};
use crate::domain::eligibility::may_receive;
use crate::domain::fact::Fact;
use crate::domain::ids::MemberId;
use crate::domain::intent::is_to_be_told;
use crate::domain::lead::{Lead, Ownership};
use crate::domain::outcome::{LeadState, Outcome, OwnerResult, Refusal, Refused, Results, Warning};

pub(super) fn decide(draft: &Draft<'_>, assign: &Assign, terms: Terms<'_>) -> Result<Decision, Refused> {
    let mut gained = HashMap::new();
    let items = assign.items.iter().map(|item| decide_item(draft, (item, assign.notify), terms, &mut gained));
    let (items, facts) = gather(items, assign.mode)?;
    Ok(Decision { facts, results: Results::Owners { items, batch: terms.origin.batch.clone() } })
}

fn decide_item<'a>(
    draft: &Draft<'_>,
    (item, notify): (&'a AssignItem, Option<bool>),
    terms: Terms<'_>,
    gained: &mut HashMap<&'a MemberId, i64>,
) -> Item<OwnerResult> {
    let AssignItem { lead: id, owner, precondition } = item;
    let lead = draft.lead(id).ok_or_else(|| Refusal::LeadNotFound { lead: id.clone() })?;
    check(precondition.as_ref(), &lead.ownership)?;
    if lead.ownership.owner == *owner {
        return Ok((unchanged(lead.ownership), None));
    }
    if let Some(owner) = owner {
        may_receive(owner, draft.member(owner))?;
    }
    let warnings = owner.as_ref().map_or_else(Vec::new, |owner| warnings(draft, owner, &lead, gained));
    let told = |owner| is_to_be_told(owner, notify, terms.origin, draft.settings().0);
    let fact = Fact::OwnerChanged {
        lead: id.clone(),
        previous: lead.ownership.owner.clone(),
        owner: owner.clone(),
        notify: owner.as_ref().is_some_and(told),
    };
    let result = OwnerResult {
        outcome: outcome(lead.ownership.owner.as_ref(), owner.as_ref()),
        previous: lead.ownership.owner,
        owner: owner.clone(),
        since: terms.at,
        revision: terms.revision,
        warnings,
    };
    Ok((result, Some(fact)))
}

fn check(precondition: Option<&Precondition>, current: &Ownership) -> Result<(), Refusal> {
    let state = || LeadState { lead: current.lead.clone(), owner: current.owner.clone(), revision: current.revision };
    match precondition {
        Some(Precondition::Revision(revision)) if *revision != current.revision => {
            Err(Refusal::RevisionMismatch(state()))
        }
        Some(Precondition::Owner(owner)) if current.owner.as_ref() != Some(owner) => {
            Err(Refusal::OwnerMismatch(state()))
        }
        Some(Precondition::Unassigned) if current.owner.is_some() => Err(Refusal::OwnerMismatch(state())),
        Some(_) | None => Ok(()),
    }
}

fn unchanged(ownership: Ownership) -> OwnerResult {
    OwnerResult {
        outcome: Outcome::Unchanged,
        previous: ownership.owner.clone(),
        owner: ownership.owner,
        since: ownership.since,
        revision: ownership.revision,
        warnings: Vec::new(),
    }
}

fn outcome(before: Option<&MemberId>, after: Option<&MemberId>) -> Outcome {
    match (before, after) {
        (_, None) => Outcome::Unassigned,
        (None, Some(_)) => Outcome::Assigned,
        (Some(_), Some(_)) => Outcome::Reassigned,
    }
}

/// Capacity binds automatic picks; whoever assigns by hand is only told. Counts what this very command gives as well.
fn warnings<'a>(
    draft: &Draft<'_>,
    owner: &'a MemberId,
    lead: &Lead,
    gained: &mut HashMap<&'a MemberId, i64>,
) -> Vec<Warning> {
    if lead.projection.closed {
        return Vec::new();
    }
    let gained = gained.entry(owner).or_default();
    *gained += 1;
    let capacity = draft.member(owner).and_then(|member| member.capacity);
    let over = capacity.is_some_and(|capacity| draft.load(owner).open + *gained > i64::from(capacity));
    if over { vec![Warning::OverCapacity] } else { Vec::new() }
}
