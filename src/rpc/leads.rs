//! `LeadService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::lead_service_server::LeadService;
use tonic::Request;

use super::Rpc;
use super::call::{Asked, Reply, reply};
use crate::leads;

#[tonic::async_trait]
impl LeadService for Rpc {
    async fn register_leads(&self, request: Request<pb::RegisterLeadsRequest>) -> Reply<pb::RegisterLeadsResponse> {
        self.write(request).await
    }

    async fn update_leads(&self, request: Request<pb::UpdateLeadsRequest>) -> Reply<pb::UpdateLeadsResponse> {
        self.write(request).await
    }

    async fn forget_leads(&self, request: Request<pb::ForgetLeadsRequest>) -> Reply<pb::ForgetLeadsResponse> {
        self.write(request).await
    }

    async fn get_lead(&self, request: Request<pb::GetLeadRequest>) -> Reply<pb::GetLeadResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = leads::get(&backend.ledger, &context, &question.lead, question.freshness).await?;
        reply(read)
    }
}
