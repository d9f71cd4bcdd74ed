//! Forgetting leads.

use super::Decision;
use crate::domain::book::Draft;
use crate::domain::fact::Fact;
use crate::domain::ids::LeadId;
use crate::domain::outcome::{Outcome, Results};

pub(super) fn decide(draft: &Draft<'_>, leads: &[LeadId]) -> Decision {
    let (mut results, mut facts) = (Vec::new(), Vec::new());
    for id in leads {
        results.push(Ok(match draft.lead(id) {
            Some(lead) => {
                facts.push(Fact::Forgotten { lead: id.clone(), previous: lead.ownership.owner });
                Outcome::Forgotten
            }
            None => Outcome::Unchanged,
        }));
    }
    Decision { facts, results: Results::Leads(results) }
}
