//! The words of the contract's enums, and the names of members.

use std::collections::HashMap;

use ownership_proto::v1::{self as pb, ChangeKind, MemberCard, Outcome, Source, Standing};

use super::client::Session;

/// What is shown for a lead that nobody owns.
pub(super) const NOBODY: &str = "unassigned";

/// The name of an outcome without its prefix.
pub(super) fn outcome(value: i32) -> String {
    word(Outcome::try_from(value).map(|outcome| outcome.as_str_name()), "OUTCOME_", value)
}

/// The name of a kind of change without its prefix.
pub(super) fn kind(value: i32) -> String {
    word(ChangeKind::try_from(value).map(|kind| kind.as_str_name()), "CHANGE_KIND_", value)
}

/// The name of a source without its prefix.
pub(super) fn source(value: i32) -> String {
    word(Source::try_from(value).map(|source| source.as_str_name()), "SOURCE_", value)
}

/// The name of a standing without its prefix.
pub(super) fn standing(value: i32) -> String {
    word(Standing::try_from(value).map(|standing| standing.as_str_name()), "STANDING_", value)
}

/// The name of a warning without its prefix.
pub(super) fn warning(value: i32) -> String {
    word(pb::Warning::try_from(value).map(|warning| warning.as_str_name()), "WARNING_", value)
}

/// A number that this build has no name for is shown as it is: a newer server may send it.
fn word<E>(name: Result<&'static str, E>, prefix: &str, value: i32) -> String {
    match name {
        Ok(name) => name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        Err(_) => value.to_string(),
    }
}

/// What members are called.
#[derive(Default)]
pub(super) struct Names {
    by_id: HashMap<String, Option<String>>,
}

impl Names {
    /// The names on some cards.
    pub(super) fn of(cards: &[MemberCard]) -> Self {
        let named = |card: &MemberCard| (card.member_id.clone(), Some(card.display_name.clone()));
        Self { by_id: cards.iter().map(named).collect() }
    }

    /// Asks the server for the names that are still missing. A name that cannot be had is not worth a failure.
    pub(super) async fn look_up(&mut self, session: &Session, ids: Vec<String>) {
        for id in ids {
            if self.by_id.contains_key(&id) {
                continue;
            }
            let get = pb::GetMemberRequest { account_id: session.account(), member_id: id.clone(), consistency: None };
            let answer = session.members().get_member(session.request(get)).await;
            let member = answer.ok().and_then(|answer| answer.into_inner().member);
            self.by_id.insert(id, member.map(|member| member.display_name));
        }
    }

    /// `Anna Snelling (anna-snelling)`, the id alone if there is no name, or the word for nobody.
    pub(super) fn owner(&self, id: Option<&String>) -> String {
        let Some(id) = id else { return NOBODY.to_owned() };
        match self.by_id.get(id) {
            Some(Some(name)) if name != id => format!("{name} ({id})"),
            _ => id.clone(),
        }
    }
}

/// The owner before and after a change: a lead that was not known, or no longer is, has none of that kind. Whether the new owner
/// is to be notified stands behind the name.
pub(super) fn sides(change: &pb::OwnerChange, known: &Names) -> (String, String) {
    let registered = change.kind() == ChangeKind::Registered;
    let forgotten = change.kind() == ChangeKind::Forgotten;
    let before = if registered { "(new)".to_owned() } else { known.owner(change.previous_owner_id.as_ref()) };
    let after = if forgotten { "(forgotten)".to_owned() } else { known.owner(change.owner_id.as_ref()) };
    let notified = if change.notify_new_owner { ", to be notified" } else { "" };
    (before, after + notified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enum_names_lose_their_prefix_and_unknown_numbers_stay_numbers() {
        assert_eq!(outcome(Outcome::Reassigned.into()), "REASSIGNED");
        assert_eq!(kind(ChangeKind::Forgotten.into()), "FORGOTTEN");
        assert_eq!(source(99), "99");
    }

    #[test]
    fn an_owner_is_shown_by_name_and_id() {
        let card = MemberCard { member_id: "a".into(), display_name: "Anna".into(), ..MemberCard::default() };
        let names = Names::of(&[card]);
        assert_eq!(names.owner(Some(&"a".into())), "Anna (a)");
        assert_eq!(names.owner(Some(&"b".into())), "b");
        assert_eq!(names.owner(None), NOBODY);
    }
}
