//! Telling others of leads that nobody has owned for too long.

use super::{Decision, Terms};
use crate::domain::book::Draft;
use crate::domain::fact::Fact;
use crate::domain::lead::LeadRef;
use crate::domain::outcome::Results;
use crate::domain::time::Timestamp;

/// Leads that one revision tells of, at most.
const MAX_TOLD: usize = 1_000;

/// Tells of those that are overdue, each once in its episode: it waits no longer then. Says when to look for the next one.
pub(super) fn decide(draft: &Draft<'_>, counted_from: Timestamp, terms: Terms<'_>) -> Decision {
    let Some(rule) = draft.settings().0.overdue_rule(counted_from) else {
        return Decision { facts: Vec::new(), results: Results::Overdue { told: 0, next: None } };
    };
    let mut waiting = draft.waiting_after(rule.counted_after()).peekable();
    let mut facts = Vec::new();
    while facts.len() < MAX_TOLD
        && let Some(lead) = waiting.next_if(|lead| rule.is_overdue(lead.since, terms.at))
    {
        facts.extend(told(lead));
    }
    let next = waiting.peek().map(|lead| rule.look_at(lead.since));
    Decision { results: Results::Overdue { told: facts.len(), next }, facts }
}

fn told(lead: LeadRef<'_>) -> Option<Fact> {
    let lead = lead.to_lead()?;
    Some(Fact::UnassignedOverdue {
        lead: lead.ownership.lead,
        since: lead.ownership.since,
        ownership: lead.ownership.revision,
        projection: lead.projection,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::book::{Book, Look};
    use crate::domain::command::{Action, Assign, AssignItem, FailureMode, LeadUpdate, Update};
    use crate::domain::fact::Commit;
    use crate::domain::ids::{CallerId, LeadId, Revision};
    use crate::domain::overdue::Limit;
    use crate::domain::settings::Settings;

    const FROM: Timestamp = Timestamp(1_000_000);
    const AFTER: i64 = 10_000;

    /// A book of leads that nobody owns, since some moments each.
    fn book(since: &[i64]) -> Book {
        let mut book = Book::at(Revision(1));
        for (number, since) in since.iter().enumerate() {
            let id = format!("L{number}");
            book.load_lead(LeadRef { since: Timestamp(*since), ..LeadRef::named(&id, None) });
        }
        let settings = Settings { overdue: Some(Limit::After(AFTER)), ..Settings::default() };
        book.load_settings(settings, Revision(1));
        book
    }

    fn by_itself() -> Origin {
        let actor = Actor { caller: CallerId::parse("ownership").unwrap(), member: None };
        Origin { actor, source: Source::System, reason: String::new(), batch: None, request: None }
    }

    /// Tells at some time. Returns which leads, and when to look next.
    fn tell(book: &mut Book, at: i64) -> (Vec<String>, Option<i64>) {
        let action = Action::TellOverdue { counted_from: FROM };
        let Decision { facts, results } = Draft::of(book).decide(&action, &by_itself(), Timestamp(at)).unwrap();
        let leads: Vec<_> = facts.iter().filter_map(Fact::lead).map(|lead| lead.as_str().to_owned()).collect();
        if !facts.is_empty() {
            let revision = book.revision().next();
            book.apply(&Commit { revision, at: Timestamp(at), origin: by_itself(), facts }).unwrap();
        }
        let Results::Overdue { told, next } = results else { panic!("{results:?}") };
        assert_eq!(told, leads.len());
        (leads, next.map(|next| next.0))
    }

    #[test]
    fn each_lead_is_told_of_once_whatever_the_clock_does() {
        let since = [FROM.0, FROM.0 + 7, FROM.0 + 500];
        let mut book = book(&since);
        let look_at = |number: usize| Some(since[number] + AFTER + AFTER / 1_000);
        assert_eq!(tell(&mut book, since[0] + AFTER - 1), (vec![], look_at(0)), "too early");
        assert_eq!(tell(&mut book, since[1] + AFTER), (vec!["L0".to_owned(), "L1".to_owned()], look_at(2)));
        assert_eq!(tell(&mut book, since[0]), (vec![], look_at(2)), "the clock was put back");
        assert_eq!(tell(&mut book, since[0] + AFTER), (vec![], look_at(2)), "and comes by once more");
        assert_eq!(tell(&mut book, i64::MAX), (vec!["L2".to_owned()], None));
    }

    #[test]
    fn what_was_overdue_before_it_counted_is_never_told_of() {
        let mut book = book(&[1, FROM.0 - AFTER, FROM.0 - AFTER + 1]);
        assert_eq!(tell(&mut book, i64::MAX), (vec!["L2".to_owned()], None));
    }

    #[test]
    fn a_revision_tells_of_so_many_and_the_rest_is_looked_for_at_once() {
        let mut book = book(&vec![FROM.0; MAX_TOLD + 1]);
        let now = FROM.0 + 2 * AFTER;
        let (leads, next) = tell(&mut book, now);
        assert_eq!(leads.len(), MAX_TOLD);
        assert!(next.is_some_and(|next| next <= now));
        assert_eq!(tell(&mut book, now).0.len(), 1);
    }

    /// When the account is looked at after something was done at some time.
    fn look_after(action: &Action, at: i64) -> Look {
        let mut book = book(&[FROM.0]);
        book.load_lead(LeadRef::named("owned", Some("anna")));
        let mut draft = Draft::of(&book);
        let Decision { facts, .. } = draft.decide(action, &by_itself(), Timestamp(at)).unwrap();
        assert!(!facts.is_empty());
        draft.absorb(&Commit { revision: Revision(2), at: Timestamp(at), origin: by_itself(), facts });
        draft.into_touched().look
    }

    fn unassign(lead: &str) -> Action {
        let item = AssignItem { lead: LeadId::parse(lead).unwrap(), owner: None, precondition: None };
        Action::Assign(Assign { items: vec![item], mode: FailureMode::FailAll, notify: None })
    }

    fn update(lead: &str) -> Action {
        let stage = Some("Won".to_owned());
        let (lead, observed_at) = (LeadId::parse(lead).unwrap(), Timestamp(i64::MAX));
        let update = LeadUpdate { lead, observed_at, stage, stage_entered_at: None, closed: None, attributes: None };
        Action::Update(Update { updates: vec![update], mode: FailureMode::FailAll })
    }

    fn settings(overdue: Limit) -> Action {
        let settings = Settings { overdue: Some(overdue), notify_new_owner: true, ..Settings::default() };
        Action::UpdateSettings { settings, expected: None }
    }

    #[test]
    fn an_account_is_looked_at_for_what_begins_to_wait_and_for_nothing_else() {
        let at = FROM.0 + 77;
        let due = Timestamp(at + AFTER + AFTER / 1_000);
        assert_eq!(look_after(&unassign("owned"), at), Look::By(Some(due)));
        assert_eq!(look_after(&update("owned"), at), Look::By(None));
        assert_eq!(look_after(&update("L0"), at), Look::By(None), "it is looked for already");
        assert_eq!(look_after(&Action::Forget(vec![LeadId::parse("L0").unwrap()]), at), Look::By(None));
        assert_eq!(look_after(&settings(Limit::After(5)), at), Look::At(Some(Timestamp(at))), "to find out when");
        assert_eq!(look_after(&settings(Limit::Never), at), Look::At(None));
        assert_eq!(look_after(&settings(Limit::After(AFTER)), at), Look::By(None), "nothing changes about that");
    }

    #[test]
    fn where_nothing_is_ever_overdue_nobody_is_told() {
        let mut book = book(&[FROM.0]);
        book.load_settings(Settings { overdue: Some(Limit::Never), ..Settings::default() }, Revision(1));
        assert_eq!(tell(&mut book, i64::MAX), (vec![], None));
    }
}
