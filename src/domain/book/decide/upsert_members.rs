//! Adding and replacing members, all or none.

use std::collections::{HashMap, HashSet};

use super::{Decision, Terms};
use crate::domain::book::Draft;
use crate::domain::command::MemberUpsert;
use crate::domain::fact::Fact;
use crate::domain::ids::MemberId;
use crate::domain::member::{Member, Standing};
use crate::domain::outcome::{Outcome, Refusal, Refused, Results};

pub(super) fn decide(draft: &Draft<'_>, upserts: &[MemberUpsert], terms: Terms<'_>) -> Result<Decision, Refused> {
    let decided: Vec<_> = upserts.iter().map(|upsert| decide_member(draft, upsert, terms)).collect();
    let coming = decided.iter().filter_map(|(_, member)| member.as_ref()).map(|member| (&member.id, member)).collect();
    let roster = Roster { draft, coming };
    let refused: Vec<_> = decided
        .iter()
        .enumerate()
        .filter_map(|(index, (_, member))| Some((index, roster.check_manager(member.as_ref()?).err()?)))
        .collect();
    if !refused.is_empty() {
        return Err(Refused::Items(refused));
    }
    let (outcomes, members): (Vec<_>, Vec<_>) = decided.into_iter().unzip();
    let facts = members.into_iter().flatten().map(Fact::MemberUpserted).collect();
    Ok(Decision { facts, results: Results::Members(outcomes) })
}

fn decide_member(draft: &Draft<'_>, upsert: &MemberUpsert, terms: Terms<'_>) -> (Outcome, Option<Member>) {
    let known = draft.member(&upsert.member.id);
    let member = Member {
        standing: upsert.standing.or(known.map(|known| known.standing)).unwrap_or(Standing::Active),
        observed_at: upsert.observed_at.unwrap_or(terms.at),
        ..upsert.member.clone()
    };
    match known {
        None => (Outcome::Registered, Some(member)),
        Some(known) if member.observed_at < known.observed_at => (Outcome::Stale, None),
        // Without a time of its own, a repeat of what is known is no observation worth a revision.
        Some(known) if upsert.observed_at.is_none() && known.says_the_same(&member) => (Outcome::Unchanged, None),
        Some(known) if *known == member => (Outcome::Unchanged, None),
        Some(_) => (Outcome::Updated, Some(member)),
    }
}

/// The members as they will be.
struct Roster<'a> {
    draft: &'a Draft<'a>,
    coming: HashMap<&'a MemberId, &'a Member>,
}

impl Roster<'_> {
    fn member(&self, id: &MemberId) -> Option<&Member> {
        self.coming.get(id).copied().or_else(|| self.draft.member(id))
    }

    fn check_manager(&self, member: &Member) -> Result<(), Refusal> {
        let Some(manager) = member.manager_id.clone() else { return Ok(()) };
        if self.member(&manager).is_none() {
            return Err(Refusal::ManagerUnknown { member: member.id.clone(), manager });
        }
        if self.reports_to(&manager, &member.id) {
            return Err(Refusal::ManagerCycle { member: member.id.clone(), manager });
        }
        Ok(())
    }

    /// Whether the chain of managers from `id` upwards reaches `top`. The chains that are known have no cycle, but the one that
    /// is coming may have one without `top` in it, which the member inside it will be refused for.
    fn reports_to(&self, id: &MemberId, top: &MemberId) -> bool {
        let mut seen = HashSet::new();
        let mut next = Some(id);
        while let Some(id) = next {
            if id == top {
                return true;
            }
            if !seen.insert(id) {
                return false;
            }
            next = self.member(id).and_then(|member| member.manager_id.as_ref());
        }
        false
    }
}
