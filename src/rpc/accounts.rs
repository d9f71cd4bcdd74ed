//! `AccountService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::account_service_server::AccountService;
use tonic::Request;

use super::Rpc;
use super::call::{Asked, Reply, reply};
use crate::accounts;

#[tonic::async_trait]
impl AccountService for Rpc {
    async fn get_settings(&self, request: Request<pb::GetSettingsRequest>) -> Reply<pb::GetSettingsResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = accounts::settings(&backend.ledger, &context, question).await?;
        reply(read)
    }

    async fn update_settings(&self, request: Request<pb::UpdateSettingsRequest>) -> Reply<pb::UpdateSettingsResponse> {
        self.write(request).await
    }
}
