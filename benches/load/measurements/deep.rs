//! Far into a walk over all leads, beside its beginning.

use std::sync::Arc;

use anyhow::{Result, ensure};
use ownership_proto::v1::{LeadOrder, ListByOwnerRequest, ListByOwnerResponse, list_by_owner_request};
use prost::Message;
use prost::bytes::Bytes;

use crate::calls::{PAGE, full_page};
use crate::data::account_id;
use crate::drive::closed_loop;
use crate::measure::{Goal, Measurement, Side, Unit};
use crate::process::Process;
use crate::wire::{LIST_BY_OWNER, encoded};
use crate::world::World;

const CALLERS: usize = 16;
const DEEP: usize = 1_000;

/// The thousandth page against the first, by 16 callers.
pub struct Deep;

#[tonic::async_trait]
impl Measurement for Deep {
    fn what(&self) -> String {
        format!("ListByOwner, page 1,000 of a walk over the large account, {CALLERS} callers, p50")
    }

    fn unit(&self) -> Unit {
        Unit::Millis
    }

    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>> {
        let service = world.serve_loaded(&world.large().await?, &[]).await?;
        let (first, deep) = (encoded(&request(String::new())), walk(&service).await?);
        let drive = move |request: &Bytes| {
            let (service, request, check) = (Arc::clone(&service), request.clone(), Arc::new(full_page()));
            let call = move |channel| {
                let (request, check) = (request.clone(), Arc::clone(&check));
                async move { check.items(&LIST_BY_OWNER.call(channel, request).await?) }
            };
            async move {
                let load = closed_loop(CALLERS, world.profile.span(), &service.channels, call).await?;
                Ok(load.latency.value_at_quantile(0.5) as f64 / 1_000.0)
            }
        };
        let ours = {
            let drive = drive.clone();
            move || drive(&deep)
        };
        Ok(vec![Side::ours(ours), Side::new("page 1", Goal::RatioAtMost(1.2), move || drive(&first))])
    }
}

fn request(page_token: String) -> ListByOwnerRequest {
    ListByOwnerRequest {
        account_id: account_id(0),
        owner: Some(list_by_owner_request::Owner::Any(())),
        order: LeadOrder::CreatedDesc.into(),
        page_size: PAGE as i32,
        page_token,
        ..ListByOwnerRequest::default()
    }
}

/// Asks for the page before the thousandth, and all before that: how the thousandth is asked for.
async fn walk(service: &Process) -> Result<Bytes> {
    let mut token = String::new();
    for page in 1..DEEP {
        let answer = LIST_BY_OWNER.call(service.channel(), encoded(&request(token))).await?;
        token = ListByOwnerResponse::decode(answer)?.next_page_token;
        ensure!(!token.is_empty(), "the walk ends with page {page}");
    }
    Ok(encoded(&request(token)))
}
