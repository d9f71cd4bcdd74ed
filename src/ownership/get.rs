//! Who owns a lead, or each of many.

use std::collections::HashMap;

use crate::context::{Context, Freshness, Moment};
use crate::domain::book::Book;
use crate::domain::ids::{LeadId, MemberId};
use crate::domain::lead::Ownership;
use crate::domain::member::Member;
use crate::history;
use crate::ledger::{Error, Ledger};
use crate::page::Read;

/// Who owns a lead.
#[derive(Debug)]
pub struct OwnerAnswer {
    /// Who.
    pub ownership: Ownership,
    /// The owner's card.
    pub card: Option<Member>,
}

/// Who owns each of many leads.
#[derive(Debug)]
pub struct OwnersAnswer {
    /// The leads that are known, in the order they were asked for.
    pub known: Vec<Ownership>,
    /// The leads that are not, likewise.
    pub unknown: Vec<LeadId>,
    /// The owners' cards, each once, by id.
    pub cards: Vec<Member>,
}

/// Who owns a lead, now or at a moment.
pub async fn get(
    ledger: &Ledger,
    context: &Context,
    lead: &LeadId,
    as_of: Option<Moment>,
    freshness: Freshness,
) -> Result<Read<OwnerAnswer>, Error> {
    let Read { revision, value } = get_batch(ledger, context, std::slice::from_ref(lead), as_of, freshness).await?;
    let ownership = value.known.into_iter().next().ok_or_else(|| Error::LeadNotFound(lead.clone()))?;
    Ok(Read { revision, value: OwnerAnswer { ownership, card: value.cards.into_iter().next() } })
}

/// Who owns each of many leads, now or at a moment, in one snapshot. Cards are always those of now.
pub async fn get_batch(
    ledger: &Ledger,
    context: &Context,
    leads: &[LeadId],
    as_of: Option<Moment>,
    freshness: Freshness,
) -> Result<Read<OwnersAnswer>, Error> {
    let Some(moment) = as_of else {
        let reading = ledger.book(context, freshness).await?;
        return Ok(reading.ask(|book| {
            let owners = leads.iter().map(|lead| (lead, book.ownership(lead)));
            Read { revision: book.revision(), value: sorted_out(owners, book) }
        }));
    };
    let Read { revision, value } = history::ownerships(ledger, context, leads, moment).await?;
    let mut then: HashMap<_, _> = value.into_iter().map(|owner| (owner.lead.clone(), owner)).collect();
    let owners = leads.iter().map(|lead| (lead, then.remove(lead)));
    let reading = ledger.book(context, Freshness::Any).await?;
    Ok(Read { revision, value: reading.ask(|book| sorted_out(owners, book)) })
}

fn sorted_out<'a>(owners: impl Iterator<Item = (&'a LeadId, Option<Ownership>)>, book: &Book) -> OwnersAnswer {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (lead, ownership) in owners {
        match ownership {
            Some(ownership) => known.push(ownership),
            None => unknown.push(lead.clone()),
        }
    }
    let cards = cards(book, known.iter().filter_map(|ownership| ownership.owner.as_ref()));
    OwnersAnswer { known, unknown, cards }
}

/// The cards of some owners, each once, by id.
pub(super) fn cards<'a>(book: &'a Book, owners: impl Iterator<Item = &'a MemberId>) -> Vec<Member> {
    book.owners_of(owners).into_iter().cloned().collect()
}
