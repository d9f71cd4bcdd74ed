//! Who owns a lead, or each of many.

use std::collections::HashMap;

use crate::context::{Context, Freshness, Moment};
use crate::domain::book::Book;
use crate::domain::ids::LeadId;
use crate::domain::lead::{LeadRef, OwnershipRef};
use crate::domain::member::Member;
use crate::history;
use crate::ledger::{Error, Ledger};
use crate::page::Read;

/// How a question about owners is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// At which moment; now, if absent.
    pub as_of: Option<Moment>,
    /// How fresh, if it is about now.
    pub freshness: Freshness,
    /// Whether to add the owners' cards.
    pub cards: bool,
}

/// Who owns each of many leads.
#[derive(Debug)]
pub struct Owners<'a> {
    /// The leads that are known, in the order they were asked for.
    pub known: Vec<OwnershipRef<'a>>,
    /// The leads that are not, likewise.
    pub unknown: Vec<&'a LeadId>,
    /// The owners' cards, each once, by id.
    pub cards: Vec<&'a Member>,
}

/// Who owns a lead, and the owner's card if it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Who.
    pub ownership: OwnershipRef<'a>,
    /// The card.
    pub card: Option<&'a Member>,
}

/// Who owns a lead, now or at a moment. `render` makes the answer of it while the book is held.
pub async fn owner<R>(
    ledger: &Ledger,
    context: &Context,
    lead: &LeadId,
    terms: Terms,
    render: impl FnOnce(Read<Owner<'_>>) -> R,
) -> Result<R, Error> {
    let only = |Read { revision, value }: Read<Owners<'_>>| {
        let card = value.cards.first().copied();
        let ownership = *value.known.first()?;
        Some(render(Read { revision, value: Owner { ownership, card } }))
    };
    let answer = owners(ledger, context, std::slice::from_ref(lead), terms, only).await?;
    answer.ok_or_else(|| Error::LeadNotFound(lead.clone()))
}

/// Who owns each of many leads, now or at a moment, in one snapshot. Cards are always those of now. `render` makes the answer of
/// it while the book is held.
pub async fn owners<R>(
    ledger: &Ledger,
    context: &Context,
    leads: &[LeadId],
    terms: Terms,
    render: impl FnOnce(Read<Owners<'_>>) -> R,
) -> Result<R, Error> {
    let Terms { as_of, freshness, cards } = terms;
    let Some(moment) = as_of else {
        let reading = ledger.book(context, freshness).await?;
        return Ok(reading.ask(|book| {
            let now = |lead: &LeadId| book.lead(lead.as_str()).map(LeadRef::ownership);
            render(Read { revision: book.revision(), value: sorted_out(leads, now, book, cards) })
        }));
    };
    let Read { revision, value } = history::ownerships(ledger, context, leads, moment).await?;
    let then: HashMap<_, _> = value.iter().map(|ownership| (&ownership.lead, ownership)).collect();
    let reading = ledger.book(context, Freshness::Any).await?;
    Ok(reading.ask(|book| {
        let then = |lead: &LeadId| then.get(lead).map(|ownership| ownership.as_ref());
        render(Read { revision, value: sorted_out(leads, then, book, cards) })
    }))
}

fn sorted_out<'a>(
    leads: &'a [LeadId],
    ownership: impl Fn(&LeadId) -> Option<OwnershipRef<'a>>,
    book: &'a Book,
    cards: bool,
) -> Owners<'a> {
    let mut owners = Owners { known: Vec::with_capacity(leads.len()), unknown: Vec::new(), cards: Vec::new() };
    for lead in leads {
        match ownership(lead) {
            Some(ownership) => owners.known.push(ownership),
            None => owners.unknown.push(lead),
        }
    }
    if cards {
        owners.cards = book.owners_of(owners.known.iter().filter_map(|ownership| ownership.owner));
    }
    owners
}
