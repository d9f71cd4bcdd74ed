//! What is known of leads.

use crate::context::{Context, Freshness};
use crate::domain::ids::LeadId;
use crate::domain::lead::{Lead, LeadRef};
use crate::ledger::{Error, Ledger};
use crate::page::Read;

/// What is known of a lead.
pub async fn get(ledger: &Ledger, context: &Context, lead: &LeadId, freshness: Freshness) -> Result<Read<Lead>, Error> {
    let reading = ledger.book(context, freshness).await?;
    reading.ask(|book| {
        let value =
            book.lead(lead.as_str()).and_then(LeadRef::to_lead).ok_or_else(|| Error::LeadNotFound(lead.clone()))?;
        Ok(Read { revision: book.revision(), value })
    })
}
