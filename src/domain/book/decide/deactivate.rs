//! Making a member inactive.

use super::{Decision, Terms};
use crate::domain::book::Draft;
use crate::domain::fact::Fact;
use crate::domain::ids::MemberId;
use crate::domain::member::{Member, Standing};
use crate::domain::outcome::{Outcome, Refusal, Refused, Results};

pub(super) fn decide(draft: &Draft<'_>, id: &MemberId, terms: Terms<'_>) -> Result<Decision, Refused> {
    let member = draft.member(id).ok_or_else(|| Refusal::MemberNotFound { member: id.clone() })?;
    let load = draft.load(id);
    let deactivated = |outcome| Results::Deactivated { outcome, open: load.open, closed: load.closed };
    if member.standing == Standing::Inactive {
        return Ok(Decision { facts: Vec::new(), results: deactivated(Outcome::Unchanged) });
    }
    let member = Member {
        standing: Standing::Inactive,
        // The later of the two, so that what the source said before does not undo it.
        observed_at: member.observed_at.max(terms.at),
        ..member.clone()
    };
    Ok(Decision { facts: vec![Fact::MemberUpserted(member)], results: deactivated(Outcome::Updated) })
}
