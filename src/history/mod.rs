//! What only the log knows: timelines, and how things were.

mod moment;
mod timeline;

use std::collections::HashMap;

pub use timeline::{Timeline, TimelineRequest, timeline};

use crate::context::{Context, Moment};
use crate::domain::ids::LeadId;
use crate::domain::lead::Ownership;
use crate::domain::sender::{LeadOwner, resolve};
use crate::ledger::{Error, Ledger};
use crate::ownership::SenderAnswer;
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

/// The sender for each of some leads, in their order, as it was at a moment: owner, address and default sender are those of then.
pub async fn senders(
    ledger: &Ledger,
    context: &Context,
    leads: &[LeadId],
    moment: Moment,
) -> Result<Read<Vec<SenderAnswer>>, Error> {
    let (snapshot, account) = (ledger.log().snapshot("senders_at").await?, &context.account);
    let Position { revision, head, .. } = position(&snapshot, account, Some(moment)).await?;
    ledger.shows(context, head).await?;
    let owners = store::history::ownerships_at(&snapshot, account, leads, revision).await?;
    let owners: HashMap<_, _> = owners.into_iter().map(|ownership| (ownership.lead, ownership.owner)).collect();
    let members = store::history::members_at(&snapshot, account, revision).await?;
    let members: HashMap<_, _> = members.into_iter().map(|member| (member.id.clone(), member)).collect();
    let settings = store::history::settings_at(&snapshot, account, revision).await?;
    let sender = |lead: &LeadId| {
        let owner = match owners.get(lead) {
            None => LeadOwner::LeadUnknown,
            Some(None) => LeadOwner::Nobody,
            Some(Some(owner)) => LeadOwner::Member(members.get(owner)),
        };
        SenderAnswer::new(lead, resolve(owner, settings.default_sender.as_ref()))
    };
    Ok(Read { revision, value: leads.iter().map(sender).collect() })
}
