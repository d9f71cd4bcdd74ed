//! `OwnershipService`.

use ownership_proto::v1 as pb;
use ownership_proto::v1::ownership_service_server::OwnershipService;
use tonic::{Request, Response, Status};

use super::Rpc;
use super::call::{Asked, Reply, reply};
use super::convert::ownership::{GetOwner, GetOwners};
use super::encode::{self, SenderStream};
use super::expiry::Expiry;
use super::parts::Messages;
use super::watch::Stream;
use crate::{history, ownership};

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
        Ok(Response::new(ownership::list(&backend.ledger, &context, question, encode::list_by_owner).await?))
    }

    type WatchOwnerChangesStream = Stream;

    async fn watch_owner_changes(
        &self,
        request: Request<pb::WatchOwnerChangesRequest>,
    ) -> Result<Response<Stream>, Status> {
        let Asked { backend, context, question, caller } = self.ask(request)?;
        let watching = question.or_silent_for(self.progress_interval());
        let watch = backend.watches.open(&context, &caller.id, watching).await?;
        Ok(Response::new(self.stream(watch, Expiry::of(&caller, context.now))))
    }

    async fn get_owner(&self, request: Request<pb::GetOwnerRequest>) -> Reply<pb::GetOwnerResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let GetOwner { lead, terms } = question;
        Ok(Response::new(ownership::owner(&backend.ledger, &context, &lead, terms, encode::get_owner).await?))
    }

    async fn batch_get_owners(&self, request: Request<pb::BatchGetOwnersRequest>) -> Reply<pb::BatchGetOwnersResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let GetOwners { leads, terms } = question;
        Ok(Response::new(ownership::owners(&backend.ledger, &context, &leads, terms, encode::batch_get_owners).await?))
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
        let Asked { backend, context, question, .. } = self.ask(request)?;
        let answer = ownership::resolve_senders(&backend.ledger, &context, &question, encode::resolve_senders).await?;
        Ok(Response::new(answer))
    }

    type StreamSendersStream = Messages<pb::StreamSendersResponse>;

    async fn stream_senders(
        &self,
        request: Request<pb::StreamSendersRequest>,
    ) -> Result<Response<Self::StreamSendersStream>, Status> {
        let Asked { backend, context, question, caller } = self.ask(request)?;
        let turn = self.turn_to_stream(context.deadline).await?;
        let (snapshot, filter) = ownership::campaign(&backend.ledger, &context, question).await?;
        let (messages, expiry) = (SenderStream::of(snapshot, filter), Expiry::of(&caller, context.now));
        Ok(Response::new(self.stream_in_parts(messages, backend.ledger.clone(), turn, expiry)))
    }

    async fn count_by_owner(&self, request: Request<pb::CountByOwnerRequest>) -> Reply<pb::CountByOwnerResponse> {
        let Asked { backend, context, question, .. } = self.ask(request)?;
        Ok(Response::new(ownership::count(&backend.ledger, &context, question, encode::count_by_owner).await?))
    }
}
