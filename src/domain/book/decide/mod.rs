//! Commands become facts or refusals here, and nowhere else. One file for each command.

mod assign;
mod deactivate;
mod forget;
mod register;
mod tell_overdue;
mod update;
mod update_settings;
mod upsert_members;

use super::Draft;
use crate::domain::actor::Origin;
use crate::domain::command::{Action, FailureMode};
use crate::domain::fact::Fact;
use crate::domain::ids::Revision;
use crate::domain::outcome::{ItemResult, Refusal, Refused, Results};
use crate::domain::time::Timestamp;

/// What a command comes to: the facts it adds to the log, none if it changes nothing, and what its caller is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happens.
    pub facts: Vec<Fact>,
    /// What became of each item.
    pub results: Results,
}

/// What a decision may take for granted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// Who asks, from where, and why.
    pub(super) origin: &'a Origin,
    /// The time it happens.
    pub(super) at: Timestamp,
    /// The revision it gets if it changes something.
    pub(super) revision: Revision,
}

impl Draft<'_> {
    /// Decides a command at the time `at`, on top of everything decided before.
    pub fn decide(&self, action: &Action, origin: &Origin, at: Timestamp) -> Result<Decision, Refused> {
        let terms = Terms { origin, at, revision: self.revision().next() };
        match action {
            Action::Assign(assign) => assign::decide(self, assign, terms),
            Action::Register(register) => register::decide(self, register, terms),
            Action::Update(update) => update::decide(self, update),
            Action::Forget(leads) => Ok(forget::decide(self, leads)),
            Action::UpsertMembers(members) => upsert_members::decide(self, members, terms),
            Action::Deactivate(member) => deactivate::decide(self, member, terms),
            Action::UpdateSettings { settings, expected } => {
                update_settings::decide(self, (settings, *expected), terms)
            }
            Action::TellOverdue { counted_from } => Ok(tell_overdue::decide(self, *counted_from, terms)),
        }
    }
}

/// One item decided: what its caller is told, and the fact it adds, if it changes something.
type Item<T> = Result<(T, Option<Fact>), Refusal>;

/// Puts decided items together: all of them, or with `FailAll` none if one was refused.
fn gather<T>(
    items: impl Iterator<Item = Item<T>>,
    mode: FailureMode,
) -> Result<(Vec<ItemResult<T>>, Vec<Fact>), Refused> {
    let (mut results, mut facts, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (index, item) in items.enumerate() {
        match item {
            Ok((result, fact)) => {
                results.push(Ok(result));
                facts.extend(fact);
            }
            Err(refusal) if mode == FailureMode::SkipFailed => results.push(Err(refusal)),
            Err(refusal) => refused.push((index, refusal)),
        }
    }
    if refused.is_empty() { Ok((results, facts)) } else { Err(Refused::Items(refused)) }
}
