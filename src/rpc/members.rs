//! `MemberService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::member_service_server::MemberService;
use tonic::Request;

use super::Rpc;
use super::call::{Asked, Reply, reply};
use crate::members;

#[tonic::async_trait]
impl MemberService for Rpc {
    async fn upsert_members(&self, request: Request<pb::UpsertMembersRequest>) -> Reply<pb::UpsertMembersResponse> {
        self.write(request).await
    }

    async fn get_member(&self, request: Request<pb::GetMemberRequest>) -> Reply<pb::GetMemberResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = members::get(&backend.ledger, &context, &question.member, question.freshness).await?;
        reply(read)
    }

    async fn list_members(&self, request: Request<pb::ListMembersRequest>) -> Reply<pb::ListMembersResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = members::pick(&backend.ledger, &context, question).await?;
        reply(read)
    }

    async fn deactivate_member(
        &self,
        request: Request<pb::DeactivateMemberRequest>,
    ) -> Reply<pb::DeactivateMemberResponse> {
        self.write(request).await
    }
}
