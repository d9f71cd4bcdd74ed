//! In whose name messages are sent.

use super::list::in_stage_for;
use crate::context::{Context, Freshness, Moment};
use crate::domain::book::query::LeadFilter;
use crate::domain::book::{Book, Snapshot};
use crate::domain::ids::LeadId;
use crate::history;
use crate::ledger::{Error, Ledger};

/// In whose name is a message about each of some leads sent?
#[derive(Debug, Clone)]
pub struct SendersRequest {
    /// The leads.
    pub leads: Vec<LeadId>,
    /// At which moment; now, if absent.
    pub as_of: Option<Moment>,
    /// How fresh, if it is about now.
    pub freshness: Freshness,
}

/// The book that tells the sender for each of many leads, now or at a moment. `render` makes the answer while it is held.
pub async fn resolve_senders<R>(
    ledger: &Ledger,
    context: &Context,
    request: &SendersRequest,
    render: impl FnOnce(&Book, &[LeadId]) -> R,
) -> Result<R, Error> {
    let SendersRequest { leads, as_of, freshness } = request;
    if let Some(moment) = *as_of {
        return Ok(render(&history::book(ledger, context, leads, moment).await?, leads));
    }
    Ok(ledger.book(context, *freshness).await?.ask(|book| render(book, leads)))
}

/// In whose name is a message about each lead of a selection sent?
#[derive(Debug, Clone)]
pub struct CampaignRequest {
    /// Which leads.
    pub filter: LeadFilter,
    /// Only those in their stage for so many microseconds.
    pub min_time_in_stage: Option<i64>,
    /// How fresh.
    pub freshness: Freshness,
}

/// The leads of an account at one revision, and which of them a campaign is about.
pub async fn campaign(
    ledger: &Ledger,
    context: &Context,
    request: CampaignRequest,
) -> Result<(Snapshot, LeadFilter), Error> {
    let CampaignRequest { filter, min_time_in_stage, freshness } = request;
    let filter = in_stage_for(filter, min_time_in_stage, context.now);
    Ok((ledger.book(context, freshness).await?.ask(Book::snapshot), filter))
}
