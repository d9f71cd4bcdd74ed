//! Registration of leads.

use super::{Decision, Item, Terms, gather};
use crate::domain::book::Draft;
use crate::domain::command::{NewLead, Register};
use crate::domain::eligibility::may_receive;
use crate::domain::fact::Fact;
use crate::domain::ids::MemberId;
use crate::domain::intent::is_to_be_told;
use crate::domain::lead::Projection;
use crate::domain::outcome::{Outcome, Refused, Results};

pub(super) fn decide(draft: &Draft<'_>, register: &Register, terms: Terms<'_>) -> Result<Decision, Refused> {
    let Register { leads, default_owner, mode, notify } = register;
    // Even if no lead needs it: an import with a bad default assignee is refused before anything is written.
    if let Some(owner) = default_owner {
        may_receive(owner, draft.member(owner))?;
    }
    let items = leads.iter().map(|lead| decide_lead(draft, (lead, default_owner.as_ref(), *notify), terms));
    let (results, facts) = gather(items, *mode)?;
    Ok(Decision { facts, results: Results::Leads(results) })
}

fn decide_lead(
    draft: &Draft<'_>,
    (new, default, notify): (&NewLead, Option<&MemberId>, bool),
    terms: Terms<'_>,
) -> Item<Outcome> {
    if draft.lead(&new.lead).is_some() {
        return Ok((Outcome::Unchanged, None));
    }
    let owner = new.owner.as_ref().or(default);
    if let Some(owner) = owner {
        may_receive(owner, draft.member(owner))?;
    }
    let told = |owner| is_to_be_told(owner, Some(notify), terms.origin, draft.settings().0);
    let fact = Fact::Registered {
        lead: new.lead.clone(),
        owner: owner.cloned(),
        notify: owner.is_some_and(told),
        projection: projection(new, terms),
    };
    Ok((Outcome::Registered, Some(fact)))
}

fn projection(new: &NewLead, terms: Terms<'_>) -> Projection {
    let created_at = new.created_at.unwrap_or(terms.at);
    Projection {
        stage: new.stage.clone(),
        stage_entered_at: new.stage_entered_at.unwrap_or(created_at),
        closed: new.closed,
        created_at,
        source: terms.origin.source,
        attributes: new.attributes.clone(),
        observed_at: new.observed_at.unwrap_or(terms.at),
    }
}
