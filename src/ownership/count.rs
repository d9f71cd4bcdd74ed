//! How many leads each owner has in each stage.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::get::cards;
use super::list::in_stage_for;
use crate::context::{Context, Freshness};
use crate::domain::book::query::{LeadFilter, OwnerCount};
use crate::domain::ids::MemberId;
use crate::domain::member::Member;
use crate::domain::time::Timestamp;
use crate::ledger::{Error, Ledger};
use crate::page::{PageRequest, Read};

/// Stages on one page, of all its owners: with their cards it has to stay below the 4 MiB that clients accept.
const PAGE_STAGES: usize = 10_000;

/// An owner, or nobody, and the counts.
type Counted = (Option<MemberId>, OwnerCount);

/// What is to be counted.
#[derive(Debug, Clone)]
pub struct CountRequest {
    /// Which leads.
    pub filter: LeadFilter,
    /// Only those in their stage for so many microseconds, when the first page is asked for.
    pub min_time_in_stage: Option<i64>,
    /// Only those of these members; those of everybody and nobody when empty.
    pub owners: Vec<MemberId>,
    /// Which page of owners.
    pub page: PageRequest,
    /// Whether to add the owners' cards.
    pub cards: bool,
    /// How fresh.
    pub freshness: Freshness,
}

/// A page of counts.
#[derive(Debug)]
pub struct Counting {
    /// By owner, the unassigned bucket first.
    pub counts: Vec<Counted>,
    /// Asks for the next page; empty if there is none.
    pub next_page_token: String,
    /// The owners' cards.
    pub cards: Vec<Member>,
}

/// Where a page ended, as its token carries it.
#[derive(Serialize, Deserialize)]
struct Position {
    owner: Option<MemberId>,
    now: Timestamp,
}

/// Counts leads.
pub async fn count(ledger: &Ledger, context: &Context, request: CountRequest) -> Result<Read<Counting>, Error> {
    let CountRequest { filter, min_time_in_stage, owners, page, cards: with_cards, freshness } = request;
    let key = ledger.token_key();
    let position: Option<Position> = page.position(key, &context.account).map_err(|_| Error::PageToken)?;
    let now = position.as_ref().map_or(context.now, |position| position.now);
    let filter = in_stage_for(filter, min_time_in_stage, now);
    let after = position.map_or(Bound::Unbounded, |position| Bound::Excluded(position.owner));
    let reading = ledger.book(context, freshness).await?;
    Ok(reading.ask(|book| {
        let mut counts = book.count(&filter, &owners);
        let (counts, more) = cut(counts.extract_if((after, Bound::Unbounded), |_, _| true), page.size);
        let last = if more { counts.last() } else { None };
        let next = last.map(|(owner, _)| Position { owner: owner.clone(), now });
        let cards =
            if with_cards { cards(book, counts.iter().filter_map(|(owner, _)| owner.as_ref())) } else { Vec::new() };
        let next_page_token = page.next(key, &context.account, next.as_ref());
        Read { revision: book.revision(), value: Counting { counts, next_page_token, cards } }
    }))
}

/// A page of counts, and whether there are more. At least one, however many stages it has.
fn cut(counts: impl Iterator<Item = Counted>, size: usize) -> (Vec<Counted>, bool) {
    let (mut counts, mut page, mut stages) = (counts.peekable(), Vec::new(), 0);
    while let Some(next) = counts.next_if(|(_, next)| page.is_empty() || stages + next.stages.len() <= PAGE_STAGES) {
        stages += next.1.stages.len();
        page.push(next);
        if page.len() == size {
            break;
        }
    }
    (page, counts.peek().is_some())
}
