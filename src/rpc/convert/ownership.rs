//! Who owns which lead: asked, listed and counted.

use ownership_proto::v1 as pb;
use pb::list_by_owner_request::Owner;

use super::filter::lead_filter;
use super::pages::Paged;
use super::reads::{card, cards, freshness, moment};
use super::time::to_timestamp;
use super::{Invalid, count, distinct_ids, id, ids};
use crate::context::{Freshness, Moment};
use crate::domain::book::SortKey;
use crate::domain::book::query::{OwnerCount, OwnerSelector, StageCount};
use crate::domain::ids::{AccountId, LeadId, MemberId};
use crate::domain::lead::Ownership;
use crate::ownership::{CountRequest, Counting, ListRequest, Listing, OwnerAnswer, OwnersAnswer};
use crate::page::Read;
use crate::rpc::call::Ask;

impl From<Ownership> for pb::Ownership {
    fn from(ownership: Ownership) -> Self {
        let Ownership { lead, owner, since, revision } = ownership;
        Self {
            lead_id: lead.into(),
            owner_id: owner.map(String::from),
            owner_since: Some(to_timestamp(since)),
            revision: revision.0,
        }
    }
}

/// Who owns a lead?
pub(in crate::rpc) struct GetOwner {
    pub(in crate::rpc) lead: LeadId,
    pub(in crate::rpc) as_of: Option<Moment>,
    pub(in crate::rpc) freshness: Freshness,
    pub(in crate::rpc) card: bool,
}

impl Ask for pb::GetOwnerRequest {
    type Question = GetOwner;

    fn question(self) -> Result<(AccountId, GetOwner), Invalid> {
        let Self { account_id, lead_id, as_of, consistency, include_card } = self;
        let question = GetOwner {
            lead: id(lead_id, format_args!("lead_id"))?,
            as_of: moment(as_of)?,
            freshness: freshness(consistency),
            card: include_card,
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl GetOwner {
    /// What was asked for of the answer.
    pub(in crate::rpc) fn response(&self, read: Read<OwnerAnswer>) -> pb::GetOwnerResponse {
        let Read { revision, value: OwnerAnswer { ownership, card: owner } } = read;
        let owner = owner.filter(|_| self.card);
        pb::GetOwnerResponse { ownership: Some(ownership.into()), card: owner.map(card), revision: revision.0 }
    }
}

/// Who owns each of some leads?
pub(in crate::rpc) struct GetOwners {
    pub(in crate::rpc) leads: Vec<LeadId>,
    pub(in crate::rpc) as_of: Option<Moment>,
    pub(in crate::rpc) freshness: Freshness,
    pub(in crate::rpc) cards: bool,
}

impl Ask for pb::BatchGetOwnersRequest {
    type Question = GetOwners;

    fn question(self) -> Result<(AccountId, GetOwners), Invalid> {
        let Self { account_id, lead_ids, as_of, consistency, include_cards } = self;
        let question = GetOwners {
            leads: distinct_ids(lead_ids, "lead_ids")?,
            as_of: moment(as_of)?,
            freshness: freshness(consistency),
            cards: include_cards,
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl GetOwners {
    /// What was asked for of the answer.
    pub(in crate::rpc) fn response(&self, read: Read<OwnersAnswer>) -> pb::BatchGetOwnersResponse {
        let Read { revision, value: OwnersAnswer { known, unknown, cards: owners } } = read;
        pb::BatchGetOwnersResponse {
            ownerships: known.into_iter().map(Into::into).collect(),
            unknown_lead_ids: unknown.into_iter().map(String::from).collect(),
            cards: if self.cards { cards(owners) } else { Vec::new() },
            revision: revision.0,
        }
    }
}

impl Paged for pb::ListByOwnerRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.OwnershipService/ListByOwner";

    fn strip(&mut self) -> (i32, String) {
        self.consistency = None;
        (std::mem::take(&mut self.page_size), std::mem::take(&mut self.page_token))
    }
}

impl Ask for pb::ListByOwnerRequest {
    type Question = ListRequest;

    fn question(self) -> Result<(AccountId, ListRequest), Invalid> {
        let page = self.page();
        let Self {
            account_id,
            owner,
            filter,
            order,
            page_size: _,
            page_token: _,
            consistency,
            include_total,
            include_cards,
        } = self;
        let (filter, min_time_in_stage) = lead_filter(filter)?;
        let (sort, descending) = lead_order(order)?;
        let question = ListRequest {
            owner: match owner.ok_or_else(|| Invalid::not_set("owner"))? {
                Owner::OwnerId(owner) => OwnerSelector::Member(id(owner, format_args!("owner_id"))?),
                Owner::Unassigned(()) => OwnerSelector::Unassigned,
                Owner::Any(()) => OwnerSelector::Any,
            },
            filter,
            min_time_in_stage,
            sort,
            descending,
            page,
            total: include_total,
            cards: include_cards,
            freshness: freshness(consistency),
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

/// By what a list is ordered, and whether the last comes first.
fn lead_order(number: i32) -> Result<(SortKey, bool), Invalid> {
    use pb::LeadOrder;
    Ok(match LeadOrder::try_from(number).map_err(|_| Invalid::not_known("order"))? {
        LeadOrder::Unspecified | LeadOrder::CreatedAsc => (SortKey::Created, false),
        LeadOrder::CreatedDesc => (SortKey::Created, true),
        LeadOrder::AssignedAsc => (SortKey::Assigned, false),
        LeadOrder::AssignedDesc => (SortKey::Assigned, true),
        LeadOrder::StageEnteredAsc => (SortKey::StageEntered, false),
        LeadOrder::StageEnteredDesc => (SortKey::StageEntered, true),
        LeadOrder::LeadId => (SortKey::LeadId, false),
    })
}

impl From<Read<Listing>> for pb::ListByOwnerResponse {
    fn from(read: Read<Listing>) -> Self {
        let Read { revision, value: Listing { leads, next_page_token, total, cards: owners } } = read;
        Self {
            leads: leads.into_iter().map(Into::into).collect(),
            next_page_token,
            revision: revision.0,
            total: total.map(count),
            cards: cards(owners),
        }
    }
}

impl Paged for pb::CountByOwnerRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.OwnershipService/CountByOwner";
    const DEFAULT_SIZE: usize = 1_000;

    fn strip(&mut self) -> (i32, String) {
        self.consistency = None;
        (std::mem::take(&mut self.page_size), std::mem::take(&mut self.page_token))
    }
}

impl Ask for pb::CountByOwnerRequest {
    type Question = CountRequest;

    fn question(self) -> Result<(AccountId, CountRequest), Invalid> {
        let page = self.page();
        let Self { account_id, filter, owner_ids, page_size: _, page_token: _, consistency, include_cards } = self;
        let (filter, min_time_in_stage) = lead_filter(filter)?;
        // A set: a member named twice has its leads once.
        let owners: std::collections::BTreeSet<MemberId> = ids(owner_ids, "owner_ids")?;
        let question = CountRequest {
            filter,
            min_time_in_stage,
            owners: owners.into_iter().collect(),
            page,
            cards: include_cards,
            freshness: freshness(consistency),
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl From<Read<Counting>> for pb::CountByOwnerResponse {
    fn from(read: Read<Counting>) -> Self {
        let Read { revision, value: Counting { counts, next_page_token, cards: owners } } = read;
        Self {
            counts: counts.into_iter().map(owner_count).collect(),
            next_page_token,
            revision: revision.0,
            cards: cards(owners),
        }
    }
}

fn owner_count((owner, counts): (Option<MemberId>, OwnerCount)) -> pb::OwnerCount {
    let total = count(counts.total());
    let OwnerCount { stages, oldest } = counts;
    pb::OwnerCount {
        owner_id: owner.map(String::from),
        total,
        stages: stages.into_iter().map(stage_count).collect(),
        oldest_owner_since: oldest.map(to_timestamp),
    }
}

fn stage_count((stage, counts): (String, StageCount)) -> pb::StageCount {
    let StageCount { open, closed } = counts;
    pb::StageCount { stage, open: count(open), closed: count(closed) }
}
