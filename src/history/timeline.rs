//! The log of owner changes, page by page.

use serde::{Deserialize, Serialize};

use super::moment::check;
use crate::context::{Context, Moment};
use crate::domain::change::{ChangeFilter, OwnerChange, changes_of};
use crate::domain::ids::{LeadId, Revision};
use crate::ledger::{Error, Ledger};
use crate::page::{PageRequest, Read};
use crate::store::heads::Head;
use crate::store::history::{Place, Placed, Span};
use crate::store::{self, Snapshot};

/// Changes looked at for one page, at most, to find those that a filter asks for.
const SCAN_BUDGET: usize = 5_000;

/// Which changes.
#[derive(Debug, Clone)]
pub struct TimelineRequest {
    /// Only those of this lead.
    pub lead: Option<LeadId>,
    /// Which of them.
    pub filter: ChangeFilter,
    /// Only those after this revision.
    pub after: Revision,
    /// Only those up to this revision.
    pub until: Option<Revision>,
    /// Newest first.
    pub newest_first: bool,
    /// The history that the revisions are of, if that is to be checked.
    pub history: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

/// A page of changes.
#[derive(Debug)]
pub struct Timeline {
    /// The changes.
    pub changes: Vec<OwnerChange>,
    /// Asks for the next page; empty if there is none.
    pub next_page_token: String,
    /// The history that the changes are of.
    pub history: String,
}

/// Where a page ended, as its token carries it.
#[derive(Serialize, Deserialize)]
struct Position {
    revision: Revision,
    ordinal: i32,
    /// Where the first page ended: what happens during the walk is not part of it.
    until: Revision,
}

/// Reads owner changes.
pub async fn timeline(ledger: &Ledger, context: &Context, request: TimelineRequest) -> Result<Read<Timeline>, Error> {
    let key = ledger.token_key();
    let position: Option<Position> = request.page.position(key, &context.account).map_err(|_| Error::PageToken)?;
    let snapshot = ledger.log().snapshot("timeline").await?;
    let head = store::heads::read(&snapshot, &context.account).await?;
    ledger.shows(context, head.revision).await?;
    check_history(ledger, request.history.as_deref(), &head)?;
    check_known(&snapshot, context, &request, &head).await?;
    let until = position.as_ref().map_or(request.until.unwrap_or(head.revision), |position| position.until);
    let span = Span {
        lead: request.lead.as_ref(),
        after: request.after,
        until,
        beyond: position.map(|Position { revision, ordinal, .. }| Place { revision, ordinal }),
        newest_first: request.newest_first,
    };
    let limit = scanned(&request);
    let found = store::history::owner_changes(&snapshot, &context.account, &span, limit as u64).await?;
    let (changes, last) = admitted(found, &request, limit);
    let next = last.map(|Place { revision, ordinal }| Position { revision, ordinal, until });
    let next_page_token = request.page.next(key, &context.account, next.as_ref());
    let history = ledger.history_id().to_owned();
    Ok(Read { revision: head.revision, value: Timeline { changes, next_page_token, history } })
}

/// Refuses revisions of another history than the present one.
fn check_history(ledger: &Ledger, wanted: Option<&str>, head: &Head) -> Result<(), Error> {
    let present = ledger.history_id();
    if wanted.is_none_or(|wanted| wanted == present) {
        return Ok(());
    }
    Err(Error::HistoryMismatch { history: present.to_owned(), floor: head.history_floor, head: head.revision })
}

/// Refuses a lead that was never known, and revisions outside of the history that is kept. The whole timeline of a lead begins
/// where the history does.
async fn check_known(
    snapshot: &Snapshot,
    context: &Context,
    request: &TimelineRequest,
    head: &Head,
) -> Result<(), Error> {
    if let Some(lead) = &request.lead
        && !store::history::was_known(snapshot, &context.account, lead).await?
    {
        return Err(Error::LeadNotFound(lead.clone()));
    }
    if request.lead.is_none() || request.after > Revision::ZERO {
        check(request.after, Moment::Revision(request.after), head)?;
    }
    request.until.map_or(Ok(()), |until| check(until, Moment::Revision(until), head))
}

/// How many changes to look at: one more than asked for tells whether there is another page.
fn scanned(request: &TimelineRequest) -> usize {
    if request.filter == ChangeFilter::default() { request.page.size + 1 } else { SCAN_BUDGET }
}

/// The changes that are asked for, and where the page ends unless it is the last.
fn admitted(found: Vec<Placed>, request: &TimelineRequest, limit: usize) -> (Vec<OwnerChange>, Option<Place>) {
    let looked_at_all = found.len() < limit;
    let (mut changes, mut last) = (Vec::new(), None);
    for (place, commit) in found {
        if changes.len() == request.page.size {
            return (changes, last);
        }
        let placed = changes_of(&commit).map(|change| OwnerChange { ordinal: place.ordinal, ..change });
        changes.extend(placed.filter(|change| request.filter.matches(change)));
        last = Some(place);
    }
    (changes, if looked_at_all { None } else { last })
}
