//! `LeadService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::lead_service_server::LeadService;
use tonic::{Request, Response, Status};

use super::Rpc;
use super::call::Asked;
use crate::leads;

#[tonic::async_trait]
impl LeadService for Rpc {
    async fn register_leads(
        &self,
        request: Request<pb::RegisterLeadsRequest>,
    ) -> Result<Response<pb::RegisterLeadsResponse>, Status> {
        self.write(request).await
    }

    async fn update_leads(
        &self,
        request: Request<pb::UpdateLeadsRequest>,
    ) -> Result<Response<pb::UpdateLeadsResponse>, Status> {
        self.write(request).await
    }

    async fn forget_leads(
        &self,
        request: Request<pb::ForgetLeadsRequest>,
    ) -> Result<Response<pb::ForgetLeadsResponse>, Status> {
        self.write(request).await
    }

    async fn get_lead(&self, request: Request<pb::GetLeadRequest>) -> Result<Response<pb::GetLeadResponse>, Status> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = leads::get(&backend.ledger, &context, &question.lead, question.freshness).await?;
        Ok(Response::new(read.into()))
    }
}
