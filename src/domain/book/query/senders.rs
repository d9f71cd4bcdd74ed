//! In whose name messages are sent.

use crate::domain::book::Book;
use crate::domain::ids::LeadId;
use crate::domain::sender::{LeadOwner, Resolution, resolve};

/// The sender for one lead.
pub type SenderOf<'a> = (&'a LeadId, Resolution<'a>);

impl Book {
    /// The sender for each of some leads, in their order.
    pub fn senders<'a>(&'a self, leads: &'a [LeadId]) -> impl Iterator<Item = SenderOf<'a>> {
        leads.iter().map(|lead| (lead, self.sender(lead)))
    }

    fn sender(&self, lead: &LeadId) -> Resolution<'_> {
        let owner = match self.leads.owner(lead) {
            None => LeadOwner::LeadUnknown,
            Some(None) => LeadOwner::Nobody,
            Some(Some(owner)) => LeadOwner::Member(self.roster.get(owner)),
        };
        resolve(owner, self.settings.default_sender.as_ref())
    }
}
