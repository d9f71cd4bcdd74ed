//! Updates of what is known of leads. Never of their owners.

use super::{Decision, Item, gather};
use crate::domain::book::Draft;
use crate::domain::command::{LeadUpdate, Update};
use crate::domain::fact::Fact;
use crate::domain::outcome::{Outcome, Refusal, Refused, Results};

pub(super) fn decide(draft: &Draft<'_>, update: &Update) -> Result<Decision, Refused> {
    let (results, facts) = gather(update.updates.iter().map(|update| decide_lead(draft, update)), update.mode)?;
    Ok(Decision { facts, results: Results::Leads(results) })
}

fn decide_lead(draft: &Draft<'_>, update: &LeadUpdate) -> Item<Outcome> {
    let lead = draft.lead(&update.lead).ok_or_else(|| Refusal::LeadNotFound { lead: update.lead.clone() })?;
    if update.observed_at < lead.projection.observed_at {
        return Ok((Outcome::Stale, None));
    }
    let projection = update.applied_to(&lead.projection);
    // A newer observation of the same counts as a change: it is what later updates are compared with.
    if projection == lead.projection {
        return Ok((Outcome::Unchanged, None));
    }
    Ok((Outcome::Updated, Some(Fact::LeadUpdated { lead: update.lead.clone(), projection })))
}
