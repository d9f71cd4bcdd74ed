//! `OwnershipService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::ownership_service_server::OwnershipService;
use tonic::{Request, Response, Status};

use super::Rpc;
use super::call::Asked;
use super::watch::Stream;
use crate::{history, ownership};

type SenderStream = tokio_stream::wrappers::ReceiverStream<Result<pb::StreamSendersResponse, Status>>;

#[tonic::async_trait]
impl OwnershipService for Rpc {
    async fn assign(&self, request: Request<pb::AssignRequest>) -> Result<Response<pb::AssignResponse>, Status> {
        self.write(request).await
    }

    async fn bulk_assign(
        &self,
        request: Request<pb::BulkAssignRequest>,
    ) -> Result<Response<pb::BulkAssignResponse>, Status> {
        self.write(request).await
    }

    async fn unassign(&self, request: Request<pb::UnassignRequest>) -> Result<Response<pb::UnassignResponse>, Status> {
        self.write(request).await
    }

    async fn list_by_owner(
        &self,
        request: Request<pb::ListByOwnerRequest>,
    ) -> Result<Response<pb::ListByOwnerResponse>, Status> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = ownership::list(&backend.ledger, &context, question).await?;
        Ok(Response::new(read.into()))
    }

    type WatchOwnerChangesStream = Stream;

    async fn watch_owner_changes(
        &self,
        request: Request<pb::WatchOwnerChangesRequest>,
    ) -> Result<Response<Stream>, Status> {
        let Asked { backend, context, question, caller } = self.ask(request)?;
        let watching = question.or_silent_for(self.progress_interval());
        let watch = backend.watches.open(&context, &caller, watching).await?;
        Ok(Response::new(self.stream(watch)))
    }

    async fn get_owner(&self, request: Request<pb::GetOwnerRequest>) -> Result<Response<pb::GetOwnerResponse>, Status> {
        let Asked { backend, context, question: q, .. } = self.ask(request)?;
        let read = ownership::get(&backend.ledger, &context, &q.lead, q.as_of, q.freshness).await?;
        Ok(Response::new(q.response(read)))
    }

    async fn batch_get_owners(
        &self,
        request: Request<pb::BatchGetOwnersRequest>,
    ) -> Result<Response<pb::BatchGetOwnersResponse>, Status> {
        let Asked { backend, context, question: q, .. } = self.ask(request)?;
        let read = ownership::get_batch(&backend.ledger, &context, &q.leads, q.as_of, q.freshness).await?;
        Ok(Response::new(q.response(read)))
    }

    async fn list_owner_changes(
        &self,
        request: Request<pb::ListOwnerChangesRequest>,
    ) -> Result<Response<pb::ListOwnerChangesResponse>, Status> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = history::timeline(&backend.ledger, &context, question).await?;
        Ok(Response::new(read.into()))
    }

    async fn resolve_senders(
        &self,
        request: Request<pb::ResolveSendersRequest>,
    ) -> Result<Response<pb::ResolveSendersResponse>, Status> {
        let Asked { backend, context, question: q, .. } = self.ask(request)?;
        let read = ownership::resolve_senders(&backend.ledger, &context, &q.leads, q.as_of, q.freshness).await?;
        Ok(Response::new(read.into()))
    }

    type StreamSendersStream = SenderStream;

    async fn stream_senders(&self, _: Request<pb::StreamSendersRequest>) -> Result<Response<SenderStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn count_by_owner(
        &self,
        request: Request<pb::CountByOwnerRequest>,
    ) -> Result<Response<pb::CountByOwnerResponse>, Status> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = ownership::count(&backend.ledger, &context, question).await?;
        Ok(Response::new(read.into()))
    }
}
