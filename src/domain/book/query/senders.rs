//! In whose name messages are sent.

use crate::domain::book::Book;
use crate::domain::book::columns::{Columns, UNASSIGNED};
use crate::domain::book::roster::Roster;
use crate::domain::sender::{LeadOwner, Resolution, resolve};
use crate::domain::settings::Settings;

/// What decides about the sender for a lead: leads with the same key have the same sender, within one revision. Keys are small
/// numbers, so that answers about many leads can be kept by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderKey(u32);

impl SenderKey {
    /// Of leads that nobody knows.
    const UNKNOWN: Self = Self(0);

    /// Of the leads of an owner, or nobody.
    pub(in crate::domain::book) fn of_owner(owner: u32) -> Self {
        Self(owner.saturating_add(1))
    }

    /// Its number: below the number of owners there ever were, and two more.
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

impl Book {
    /// The key of the sender for a lead.
    pub fn sender_key(&self, lead: &str) -> SenderKey {
        let slot = self.leads.slot(lead);
        slot.map_or(SenderKey::UNKNOWN, |slot| SenderKey::of_owner(self.leads.columns.rows.row(slot).owner))
    }

    /// The sender for the leads of a key.
    pub fn sender(&self, key: SenderKey) -> Resolution<'_> {
        sender(key, &self.leads.columns, &self.roster, &self.settings)
    }
}

/// The sender for the leads of a key.
pub(in crate::domain::book) fn sender<'a>(
    key: SenderKey,
    columns: &'a Columns,
    roster: &'a Roster,
    settings: &'a Settings,
) -> Resolution<'a> {
    let owner = match key.0.checked_sub(1) {
        None => LeadOwner::LeadUnknown,
        Some(UNASSIGNED) => LeadOwner::Nobody,
        Some(owner) => LeadOwner::Member(roster.get(columns.owners.word(owner))),
    };
    resolve(owner, settings.default_sender.as_ref())
}
