//! What only the log knows: timelines, and how things were.

mod moment;
mod timeline;

pub use timeline::{Timeline, TimelineRequest, timeline};

use crate::context::{Context, Moment};
use crate::domain::actor::Source;
use crate::domain::attributes::AttributesRef;
use crate::domain::book::Book;
use crate::domain::ids::{LeadId, MemberId};
use crate::domain::lead::{LeadRef, Ownership};
use crate::domain::time::Timestamp;
use crate::ledger::{Error, Ledger};
use crate::page::Read;
use crate::store;

pub(crate) use moment::{Position, check, position};

/// Who owned each of some leads at a moment. Leads that were not known then are absent.
pub async fn ownerships(
    ledger: &Ledger,
    context: &Context,
    leads: &[LeadId],
    moment: Moment,
) -> Result<Read<Vec<Ownership>>, Error> {
    let snapshot = ledger.log().snapshot("ownerships_at").await?;
    let Position { revision, head, .. } = position(&snapshot, &context.account, Some(moment)).await?;
    ledger.shows(context, head).await?;
    let value = store::history::ownerships_at(&snapshot, &context.account, leads, revision).await?;
    Ok(Read { revision, value })
}

/// A book of some leads as it was at a moment, as far as their senders need it: owners, members and settings are those of then.
pub async fn book(ledger: &Ledger, context: &Context, leads: &[LeadId], moment: Moment) -> Result<Book, Error> {
    let (snapshot, account) = (ledger.log().snapshot("senders_at").await?, &context.account);
    let Position { revision, head, .. } = position(&snapshot, account, Some(moment)).await?;
    ledger.shows(context, head).await?;
    let mut book = Book::at(revision);
    for ownership in store::history::ownerships_at(&snapshot, account, leads, revision).await? {
        book.load_lead(without_projection(&ownership));
    }
    for member in store::history::members_at(&snapshot, account, revision).await? {
        book.load_member(member);
    }
    book.load_settings(store::history::settings_at(&snapshot, account, revision).await?, revision);
    Ok(book)
}

/// A lead of which nothing but the owner is told.
fn without_projection(ownership: &Ownership) -> LeadRef<'_> {
    LeadRef {
        id: ownership.lead.as_str(),
        owner: ownership.owner.as_ref().map(MemberId::as_str),
        since: ownership.since,
        revision: ownership.revision,
        stage: "",
        stage_entered_at: Timestamp(0),
        closed: false,
        created_at: Timestamp(0),
        source: Source::System,
        attributes: AttributesRef::default(),
        observed_at: Timestamp(0),
        overdue: false,
    }
}
