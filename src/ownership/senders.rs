//! In whose name messages are sent.

use crate::context::{Context, Freshness, Moment};
use crate::domain::ids::{LeadId, MemberId};
use crate::domain::sender::{Resolution, Skipped};
use crate::history;
use crate::ledger::{Error, Ledger};
use crate::page::Read;

/// Somebody in whose name a message can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sender {
    /// The member; absent for the account's default sender.
    pub member: Option<MemberId>,
    /// The name to send as.
    pub name: String,
    /// The address to send from.
    pub email: String,
}

/// The rule that gave a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The lead's owner.
    Owner,
    /// The account's default sender.
    AccountDefault,
    /// None applied.
    None,
}

/// The sender for one lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderAnswer {
    /// The lead.
    pub lead: LeadId,
    /// Who, if anybody.
    pub sender: Option<Sender>,
    /// By which rule.
    pub step: Step,
    /// Why it is not the owner.
    pub skipped: Option<Skipped>,
}

impl SenderAnswer {
    /// What a resolution says about a lead.
    pub fn new(lead: &LeadId, resolution: Resolution<'_>) -> Self {
        let (sender, step, skipped) = match resolution {
            Resolution::Owner(member) => {
                let (name, email) = (member.display_name.clone(), member.email.clone());
                (Some(Sender { member: Some(member.id.clone()), name, email }), Step::Owner, None)
            }
            Resolution::AccountDefault(default, skipped) => {
                let (name, email) = (default.name.clone(), default.email.clone());
                (Some(Sender { member: None, name, email }), Step::AccountDefault, Some(skipped))
            }
            Resolution::None(skipped) => (None, Step::None, Some(skipped)),
        };
        Self { lead: lead.clone(), sender, step, skipped }
    }
}

/// The sender for each of many leads, in their order, now or at a moment.
pub async fn resolve_senders(
    ledger: &Ledger,
    context: &Context,
    leads: &[LeadId],
    as_of: Option<Moment>,
    freshness: Freshness,
) -> Result<Read<Vec<SenderAnswer>>, Error> {
    if let Some(moment) = as_of {
        return history::senders(ledger, context, leads, moment).await;
    }
    let reading = ledger.book(context, freshness).await?;
    Ok(reading.ask(|book| {
        let value = book.senders(leads).map(|(lead, resolution)| SenderAnswer::new(lead, resolution)).collect();
        Read { revision: book.revision(), value }
    }))
}
