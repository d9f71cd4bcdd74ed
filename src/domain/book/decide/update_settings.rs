//! Replacing the settings.

use super::Decision;
use crate::domain::book::Draft;
use crate::domain::fact::Fact;
use crate::domain::ids::Revision;
use crate::domain::outcome::{Outcome, Refusal, Refused, Results};
use crate::domain::settings::Settings;

pub(super) fn decide(draft: &Draft<'_>, wanted: &Settings, expected: Option<Revision>) -> Result<Decision, Refused> {
    let (settings, current) = draft.settings();
    if expected.is_some_and(|expected| expected != current) {
        return Err(Refusal::SettingsChanged { current }.into());
    }
    if settings == wanted {
        return Ok(Decision { facts: Vec::new(), results: Results::Settings(Outcome::Unchanged) });
    }
    let facts = vec![Fact::SettingsUpdated(wanted.clone())];
    Ok(Decision { facts, results: Results::Settings(Outcome::Updated) })
}
