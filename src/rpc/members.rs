//! `MemberService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::member_service_server::MemberService;
use tonic::{Request, Response, Status};

use super::Rpc;
use super::call::Asked;
use crate::members;

#[tonic::async_trait]
impl MemberService for Rpc {
    async fn upsert_members(
        &self,
        request: Request<pb::UpsertMembersRequest>,
    ) -> Result<Response<pb::UpsertMembersResponse>, Status> {
        self.write(request).await
    }

    async fn get_member(
        &self,
        request: Request<pb::GetMemberRequest>,
    ) -> Result<Response<pb::GetMemberResponse>, Status> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = members::get(&backend.ledger, &context, &question.member, question.freshness).await?;
        Ok(Response::new(read.into()))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = members::pick(&backend.ledger, &context, question).await?;
        Ok(Response::new(read.into()))
    }

    async fn deactivate_member(
        &self,
        request: Request<pb::DeactivateMemberRequest>,
    ) -> Result<Response<pb::DeactivateMemberResponse>, Status> {
        self.write(request).await
    }
}
