//! Whose leads are which.

use serde::{Deserialize, Serialize};

use crate::context::{Context, Freshness};
use crate::domain::book::SortKey;
use crate::domain::book::query::{LeadFilter, ListQuery, OwnerSelector, Place};
use crate::domain::ids::LeadId;
use crate::domain::lead::LeadRef;
use crate::domain::member::Member;
use crate::domain::time::{TimeRange, Timestamp};
use crate::ledger::{Error, Ledger};
use crate::page::{PageRequest, Read};

/// What is to be listed.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// Whose leads.
    pub owner: OwnerSelector,
    /// Which of them.
    pub filter: LeadFilter,
    /// Only those in their stage for so many microseconds, when the first page is asked for.
    pub min_time_in_stage: Option<i64>,
    /// By what they are ordered.
    pub sort: SortKey,
    /// Last first.
    pub descending: bool,
    /// Which page.
    pub page: PageRequest,
    /// Whether to count all.
    pub total: bool,
    /// Whether to add the owners' cards.
    pub cards: bool,
    /// How fresh.
    pub freshness: Freshness,
}

/// A page of leads.
#[derive(Debug)]
pub struct Listing<'a> {
    /// The leads.
    pub leads: Vec<LeadRef<'a>>,
    /// Asks for the next page; empty if there is none.
    pub next_page_token: String,
    /// How many there are on all pages.
    pub total: Option<usize>,
    /// The owners' cards.
    pub cards: Vec<&'a Member>,
    /// The history that its revision is of.
    pub history: &'a str,
}

/// Where a page ended, as its token carries it.
#[derive(Serialize, Deserialize)]
struct Position {
    at: Timestamp,
    lead: LeadId,
    /// When the first page was asked for: time in stage is measured by it on every page.
    now: Timestamp,
}

/// Lists leads. `render` makes the answer of the page while the book is held.
pub async fn list<R>(
    ledger: &Ledger,
    context: &Context,
    request: ListRequest,
    render: impl FnOnce(Read<Listing<'_>>) -> R,
) -> Result<R, Error> {
    let ListRequest { owner, filter, min_time_in_stage, sort, descending, page, total, cards: with_cards, freshness } =
        request;
    let key = ledger.token_key();
    let position: Option<Position> = page.position(key, &context.account).map_err(|_| Error::PageToken)?;
    let now = position.as_ref().map_or(context.now, |position| position.now);
    let after = position.map(|Position { at, lead, now: _ }| Place { at, lead });
    let filter = in_stage_for(filter, min_time_in_stage, now);
    let query = ListQuery { owner, filter, sort, descending, after, limit: page.size };
    let reading = ledger.book(context, freshness).await?;
    Ok(reading.ask(|book| {
        let found = book.list(&query);
        let next = found.next.map(|Place { at, lead }| Position { at, lead, now });
        let owners = found.leads.iter().filter_map(|lead| lead.owner);
        let cards = if with_cards { book.owners_of(owners) } else { Vec::new() };
        let value = Listing {
            next_page_token: page.next(key, &context.account, next.as_ref()),
            total: total.then(|| book.total(&query.owner, &query.filter)),
            cards,
            leads: found.leads,
            history: ledger.history_id(),
        };
        render(Read { revision: book.revision(), value })
    }))
}

/// The filter that also asks for a time in stage, counted back from `now`.
pub(super) fn in_stage_for(filter: LeadFilter, micros: Option<i64>, now: Timestamp) -> LeadFilter {
    // A lead that entered its stage exactly that long ago has been in it for that long.
    let end = micros.map(|micros| Timestamp(now.minus_micros(micros).0.saturating_add(1)));
    let stage_entered = filter.stage_entered.and(TimeRange { start: None, end });
    LeadFilter { stage_entered, ..filter }
}
