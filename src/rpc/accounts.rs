//! `AccountService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::account_service_server::AccountService;
use tonic::{Request, Response, Status};

use super::Rpc;
use super::call::Asked;
use crate::accounts;

#[tonic::async_trait]
impl AccountService for Rpc {
    async fn get_settings(
        &self,
        request: Request<pb::GetSettingsRequest>,
    ) -> Result<Response<pb::GetSettingsResponse>, Status> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = accounts::settings(&backend.ledger, &context, question).await?;
        Ok(Response::new(read.into()))
    }

    async fn update_settings(
        &self,
        request: Request<pb::UpdateSettingsRequest>,
    ) -> Result<Response<pb::UpdateSettingsResponse>, Status> {
        self.write(request).await
    }
}
