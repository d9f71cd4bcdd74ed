//! Who owns which lead: asked, listed and counted. Most of the answers are written by `encode`.

use ownership_proto::v1 as pb;
use pb::list_by_owner_request::Owner;

use super::filter::lead_filter;
use super::pages::Paged;
use super::reads::{freshness, moment};
use super::time::to_timestamp;
use super::{Invalid, distinct_ids, id, ids};
use crate::domain::book::SortKey;
use crate::domain::book::query::OwnerSelector;
use crate::domain::ids::{AccountId, LeadId, MemberId};
use crate::domain::lead::Ownership;
use crate::ownership::{CountRequest, ListRequest, Terms};
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
    pub(in crate::rpc) terms: Terms,
}

impl Ask for pb::GetOwnerRequest {
    type Question = GetOwner;

    fn question(self) -> Result<(AccountId, GetOwner), Invalid> {
        let Self { account_id, lead_id, as_of, consistency, include_card } = self;
        let terms = Terms { as_of: moment(as_of)?, freshness: freshness(consistency), cards: include_card };
        let lead = id(lead_id, format_args!("lead_id"))?;
        Ok((id(account_id, format_args!("account_id"))?, GetOwner { lead, terms }))
    }
}

/// Who owns each of some leads?
pub(in crate::rpc) struct GetOwners {
    pub(in crate::rpc) leads: Vec<LeadId>,
    pub(in crate::rpc) terms: Terms,
}

impl Ask for pb::BatchGetOwnersRequest {
    type Question = GetOwners;

    fn question(self) -> Result<(AccountId, GetOwners), Invalid> {
        let Self { account_id, lead_ids, as_of, consistency, include_cards } = self;
        let terms = Terms { as_of: moment(as_of)?, freshness: freshness(consistency), cards: include_cards };
        let leads = distinct_ids(lead_ids, "lead_ids")?;
        Ok((id(account_id, format_args!("account_id"))?, GetOwners { leads, terms }))
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
