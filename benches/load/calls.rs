//! The calls that are measured, and what is asked in them.

use std::sync::Arc;

use anyhow::{Result, ensure};
use ownership_proto::v1::{
    AssignRequest, AssignResponse, BatchGetOwnersRequest, BatchGetOwnersResponse, Consistency, GetOwnerRequest,
    GetOwnerResponse, LeadOrder, ListByOwnerRequest, ListByOwnerResponse, Outcome, ResolveSendersRequest,
    ResolveSendersResponse, consistency, list_by_owner_request,
};
use prost::Message;
use prost::bytes::Bytes;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::data::{Shape, account_id, any, any_member, lead_id};
use super::wire::{ASSIGN, Check, GET_OWNER, LIST_BY_OWNER, RESOLVE_SENDERS, encoded};

/// At least a revision that is long reached.
pub const REACHED: Consistency = Consistency { level: Some(consistency::Level::AtLeastRevision(1)) };
/// Leads of a page.
pub const PAGE: usize = 100;

/// Asks for the owner of any lead.
pub async fn get(channel: Channel, shape: Shape, consistency: Option<Consistency>, check: &Check) -> Result<u64> {
    let request = GetOwnerRequest {
        account_id: shape.any_account(),
        lead_id: shape.any_lead(),
        consistency,
        ..GetOwnerRequest::default()
    };
    check.items(&GET_OWNER.call(channel, encoded(&request)).await?)
}

/// An owner that was found.
pub fn one_owner() -> Check {
    Check::new(|answer| {
        let ownership = GetOwnerResponse::decode(answer)?.ownership.unwrap_or_default();
        ensure!(ownership.owner_id.is_some() && ownership.lead_id.len() == 36, "no owner");
        Ok(1)
    })
}

/// Gives any lead to any owner. Counts if it had another one.
pub async fn assign(channel: Channel, shape: Shape) -> Result<u64> {
    let answer = AssignResponse::decode(ASSIGN.call(channel, any_to_any(shape)).await?)?;
    Ok(u64::from(answer.outcome() != Outcome::Unchanged))
}

/// As `assign`, so many times by several callers.
pub async fn assign_times(channel: &Channel, shape: Shape, callers: usize, times: usize) -> Result<()> {
    let mut all = JoinSet::new();
    for _ in 0..callers {
        let channel = channel.clone();
        all.spawn(async move {
            for _ in 0..times / callers {
                assign(channel.clone(), shape).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = all.join_next().await {
        done??;
    }
    Ok(())
}

/// Where an account stands.
pub async fn head(channel: Channel, account: usize) -> Result<i64> {
    let request =
        GetOwnerRequest { account_id: account_id(account), lead_id: lead_id(0), ..GetOwnerRequest::default() };
    Ok(GetOwnerResponse::decode(GET_OWNER.call(channel, encoded(&request)).await?)?.revision)
}

/// Any lead, to any owner.
pub fn any_to_any(shape: Shape) -> Bytes {
    encoded(&AssignRequest {
        account_id: shape.any_account(),
        lead_id: shape.any_lead(),
        owner_id: any_member(),
        ..AssignRequest::default()
    })
}

/// Asks for the newest leads of any owner.
pub async fn page(channel: Channel, shape: Shape, consistency: Option<Consistency>, check: &Check) -> Result<u64> {
    check.items(&LIST_BY_OWNER.call(channel, any_page(shape, consistency)).await?)
}

/// The newest leads of any owner.
pub fn any_page(shape: Shape, consistency: Option<Consistency>) -> Bytes {
    encoded(&ListByOwnerRequest {
        account_id: shape.any_account(),
        owner: Some(list_by_owner_request::Owner::OwnerId(any_member())),
        order: LeadOrder::CreatedDesc.into(),
        page_size: 100,
        consistency,
        ..ListByOwnerRequest::default()
    })
}

/// A page that is full.
pub fn full_page() -> Check {
    Check::new(|answer| {
        let leads = ListByOwnerResponse::decode(answer)?.leads.len();
        ensure!(leads == PAGE, "a page of {leads} leads");
        Ok(1)
    })
}

/// A page that holds something: owners of few leads have no full one.
pub fn some_page() -> Check {
    Check::new(|answer| {
        ensure!(!ListByOwnerResponse::decode(answer)?.leads.is_empty(), "an empty page");
        Ok(1)
    })
}

/// A list of leads, each time another one.
pub type Requests = Arc<Vec<Bytes>>;

/// Requests about lists of leads.
pub fn for_owners(lists: &[(String, Vec<String>)]) -> Requests {
    let request = |(account, leads): &(String, Vec<String>)| {
        let (account_id, lead_ids) = (account.clone(), leads.clone());
        encoded(&BatchGetOwnersRequest { account_id, lead_ids, ..BatchGetOwnersRequest::default() })
    };
    Arc::new(lists.iter().map(request).collect())
}

/// Requests about lists of leads.
pub fn for_senders(lists: &[(String, Vec<String>)]) -> Requests {
    let request = |(account, leads): &(String, Vec<String>)| {
        let (account_id, lead_ids) = (account.clone(), leads.clone());
        encoded(&ResolveSendersRequest { account_id, lead_ids, ..ResolveSendersRequest::default() })
    };
    Arc::new(lists.iter().map(request).collect())
}

/// Any of them.
pub fn any_of(requests: &Requests) -> Bytes {
    requests[any(requests.len())].clone()
}

/// Lists of leads, each of any account.
pub fn lists(shape: Shape, count: usize, leads: usize) -> Vec<(String, Vec<String>)> {
    (0..count).map(|_| (shape.any_account(), shape.some_leads(leads))).collect()
}

/// Asks who sends to one of the lists.
pub async fn senders(channel: Channel, requests: &Requests, check: &Check) -> Result<u64> {
    check.items(&RESOLVE_SENDERS.call(channel, any_of(requests)).await?)
}

/// Every lead has a sender.
pub fn all_sent() -> Check {
    Check::new(|answer| {
        let resolutions = ResolveSendersResponse::decode(answer)?.resolutions;
        ensure!(resolutions.iter().all(|one| one.sender.is_some()), "a lead without sender");
        Ok(resolutions.len() as u64)
    })
}

/// Every lead is known.
pub fn all_owned() -> Check {
    Check::new(|answer| {
        let answer = BatchGetOwnersResponse::decode(answer)?;
        ensure!(answer.unknown_lead_ids.is_empty(), "an unknown lead");
        Ok(answer.ownerships.len() as u64)
    })
}
