//! Notification intents: which new owners are to be told of the leads they got. This service tells nobody; it notes with a
//! change whom others should tell.

use std::collections::BTreeMap;

use super::actor::{Origin, Source};
use super::fact::{Commit, Fact};
use super::ids::{MemberId, Revision};
use super::settings::Settings;

/// Whether a member who gets a lead is to be told, where a request says so itself or leaves it to the settings. Nobody is told of
/// what they did themselves, and an import tells nobody unless it says so.
///
/// Asked about members who may receive leads: an inactive one never gets here.
pub fn is_to_be_told(owner: &MemberId, asked: Option<bool>, origin: &Origin, settings: &Settings) -> bool {
    let by_default = settings.notify_new_owner && origin.source != Source::Import;
    asked.unwrap_or(by_default) && origin.actor.member.as_ref() != Some(owner)
}

/// A member is to be told of the leads that one commit gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The revision of the commit.
    pub revision: Revision,
    /// The member.
    pub owner: MemberId,
    /// How many leads.
    pub leads: i32,
}

/// Who is to be told of a commit: each new owner once, by id.
pub fn intents_of(commit: &Commit) -> impl Iterator<Item = Intent> {
    let mut leads = BTreeMap::new();
    for owner in commit.facts.iter().filter_map(to_be_told) {
        *leads.entry(owner).or_default() += 1;
    }
    let revision = commit.revision;
    leads.into_iter().map(move |(owner, leads)| Intent { revision, owner: owner.clone(), leads })
}

fn to_be_told(fact: &Fact) -> Option<&MemberId> {
    match fact {
        Fact::Registered { owner, notify, .. } | Fact::OwnerChanged { owner, notify, .. } if *notify => owner.as_ref(),
        Fact::Registered { .. } | Fact::OwnerChanged { .. } | Fact::Forgotten { .. } => None,
        Fact::LeadUpdated { .. } | Fact::UnassignedOverdue { .. } => None,
        Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Actor;
    use crate::domain::ids::CallerId;

    fn origin(member: Option<&str>, source: Source) -> Origin {
        let member = member.map(|id| MemberId::parse(id).unwrap());
        let actor = Actor { caller: CallerId::parse("anna").unwrap(), member };
        Origin { actor, source, reason: String::new(), batch: None, request: None }
    }

    #[test]
    fn the_request_decides_and_else_the_settings() {
        let (anna, ben) = (MemberId::parse("anna").unwrap(), Some("ben"));
        let told = |asked, by_settings, member, source| {
            let settings = Settings { notify_new_owner: by_settings, ..Settings::default() };
            is_to_be_told(&anna, asked, &origin(member, source), &settings)
        };
        for by_settings in [false, true] {
            assert!(told(Some(true), by_settings, ben, Source::Ui));
            assert!(!told(Some(false), by_settings, ben, Source::Ui));
            assert_eq!(told(None, by_settings, ben, Source::Ui), by_settings);
            assert_eq!(told(None, by_settings, None, Source::Automation), by_settings);
            assert!(!told(None, by_settings, ben, Source::Import), "not of an import");
            assert!(told(Some(true), by_settings, ben, Source::Import), "unless it asks");
            assert!(!told(Some(true), by_settings, Some("anna"), Source::Ui), "not of one's own doing");
        }
        assert!(told(Some(true), false, None, Source::Ui), "a caller is no member, whatever its name");
    }
}
