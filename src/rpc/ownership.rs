//! `OwnershipService`.

use ownership_proto::Encoded;
use ownership_proto::v1 as pb;
use ownership_proto::v1::ownership_service_server::OwnershipService;
use tonic::{Request, Response, Status};

use super::Rpc;
use super::call::{Asked, Reply, reply};
use super::watch::Stream;
use crate::{history, ownership};

type SenderStream = tokio_stream::wrappers::ReceiverStream<Result<Encoded<pb::StreamSendersResponse>, Status>>;

#[tonic::async_trait]
impl OwnershipService for Rpc {
    async fn assign(&self, request: Request<pb::AssignRequest>) -> Reply<pb::AssignResponse> {
        self.write(request).await
    }

    async fn bulk_assign(&self, request: Request<pb::BulkAssignRequest>) -> Reply<pb::BulkAssignResponse> {
        self.write(request).await
    }

    async fn unassign(&self, request: Request<pb::UnassignRequest>) -> Reply<pb::UnassignResponse> {
        self.write(request).await
    }

    async fn list_by_owner(&self, request: Request<pb::ListByOwnerRequest>) -> Reply<pb::ListByOwnerResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = ownership::list(&backend.ledger, &context, question).await?;
        reply(read)
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

    async fn get_owner(&self, request: Request<pb::GetOwnerRequest>) -> Reply<pb::GetOwnerResponse> {
        let Asked { backend, context, question: q, .. } = self.ask(request)?;
        let read = ownership::get(&backend.ledger, &context, &q.lead, q.as_of, q.freshness).await?;
        reply(q.response(read))
    }

    async fn batch_get_owners(&self, request: Request<pb::BatchGetOwnersRequest>) -> Reply<pb::BatchGetOwnersResponse> {
        let Asked { backend, context, question: q, .. } = self.ask(request)?;
        let read = ownership::get_batch(&backend.ledger, &context, &q.leads, q.as_of, q.freshness).await?;
        reply(q.response(read))
    }

    async fn list_owner_changes(
        &self,
        request: Request<pb::ListOwnerChangesRequest>,
    ) -> Reply<pb::ListOwnerChangesResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = history::timeline(&backend.ledger, &context, question).await?;
        reply(read)
    }

    async fn resolve_senders(&self, request: Request<pb::ResolveSendersRequest>) -> Reply<pb::ResolveSendersResponse> {
        let Asked { backend, context, question: q, .. } = self.ask(request)?;
        let read = ownership::resolve_senders(&backend.ledger, &context, &q.leads, q.as_of, q.freshness).await?;
        reply(read)
    }

    type StreamSendersStream = SenderStream;

    async fn stream_senders(&self, _: Request<pb::StreamSendersRequest>) -> Result<Response<SenderStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn count_by_owner(&self, request: Request<pb::CountByOwnerRequest>) -> Reply<pb::CountByOwnerResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let read = ownership::count(&backend.ledger, &context, question).await?;
        reply(read)
    }
}
