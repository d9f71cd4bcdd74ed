//! Replacing the settings.

use super::{Decision, Terms};
use crate::domain::book::Draft;
use crate::domain::fact::Fact;
use crate::domain::ids::Revision;
use crate::domain::outcome::{Outcome, Refusal, Refused, Results};
use crate::domain::overdue::Limit;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;

pub(super) fn decide(
    draft: &Draft<'_>,
    (wanted, expected): (&Settings, Option<Revision>),
    terms: Terms<'_>,
) -> Result<Decision, Refused> {
    let (settings, current) = draft.settings();
    if expected.is_some_and(|expected| expected != current) {
        return Err(Refusal::SettingsChanged { current }.into());
    }
    let wanted = Settings { overdue_from: told_from(settings, wanted, terms.at), ..wanted.clone() };
    if *settings == wanted {
        return Ok(Decision { facts: Vec::new(), results: Results::Settings(Outcome::Unchanged) });
    }
    Ok(Decision { facts: vec![Fact::SettingsUpdated(wanted)], results: Results::Settings(Outcome::Updated) })
}

/// Since when others are told of overdue leads: since it was last turned on.
fn told_from(settings: &Settings, wanted: &Settings, at: Timestamp) -> Option<Timestamp> {
    let is_on = |settings: &Settings| Limit::micros(settings.overdue).is_some();
    if is_on(wanted) && !is_on(settings) { Some(at) } else { settings.overdue_from }
}
