//! How many leads each owner has in each stage.

use serde::{Deserialize, Serialize};

use super::list::in_stage_for;
use crate::context::{Context, Freshness};
use crate::domain::book::query::{Counted, LeadFilter};
use crate::domain::ids::MemberId;
use crate::domain::member::Member;
use crate::domain::time::Timestamp;
use crate::ledger::{Error, Ledger};
use crate::page::{PageRequest, Read};

/// Stages on one page, of all its owners: with their cards it has to stay below the 4 MiB that clients accept.
const PAGE_STAGES: usize = 10_000;

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
pub struct Counting<'a> {
    /// By owner, the unassigned bucket first.
    pub counts: Vec<Counted<'a>>,
    /// Asks for the next page; empty if there is none.
    pub next_page_token: String,
    /// The owners' cards.
    pub cards: Vec<&'a Member>,
}

/// Where a page ended, as its token carries it.
#[derive(Serialize, Deserialize)]
struct Position {
    owner: Option<MemberId>,
    now: Timestamp,
}

/// Counts leads. `render` makes the answer of the page while the book is held.
pub async fn count<R>(
    ledger: &Ledger,
    context: &Context,
    request: CountRequest,
    render: impl FnOnce(Read<Counting<'_>>) -> R,
) -> Result<R, Error> {
    let CountRequest { filter, min_time_in_stage, owners, page, cards: with_cards, freshness } = request;
    let key = ledger.token_key();
    let position: Option<Position> = page.position(key, &context.account).map_err(|_| Error::PageToken)?;
    let now = position.as_ref().map_or(context.now, |position| position.now);
    let filter = in_stage_for(filter, min_time_in_stage, now);
    let reading = ledger.book(context, freshness).await?;
    Ok(reading.ask(|book| {
        let mut counts = book.count(&filter, &owners);
        if let Some(Position { owner, .. }) = &position {
            let last = owner.as_ref().map(MemberId::as_str);
            counts.retain(|(owner, _)| *owner > last);
        }
        let more = cut(&mut counts, page.size);
        let last = counts.last().filter(|_| more);
        let next = last.map(|(owner, _)| Position { owner: owner.and_then(|id| MemberId::parse(id).ok()), now });
        let owners = counts.iter().filter_map(|(owner, _)| *owner);
        let cards = if with_cards { book.owners_of(owners) } else { Vec::new() };
        let next_page_token = page.next(key, &context.account, next.as_ref());
        render(Read { revision: book.revision(), value: Counting { counts, next_page_token, cards } })
    }))
}

/// Cuts counts to a page, at least one, however many stages it has; and tells whether there are more.
fn cut(counts: &mut Vec<Counted<'_>>, size: usize) -> bool {
    let mut stages = 0;
    let fits = |(_, count): &&Counted<'_>| {
        stages += count.stages.len();
        stages <= PAGE_STAGES
    };
    let fitting = counts.iter().take_while(fits).count().max(1).min(size);
    let more = counts.len() > fitting;
    counts.truncate(fitting);
    more
}
