//! The limit of every call: a server that knows nothing but tonic and the messages.

use std::pin::Pin;

use anyhow::Result;
use futures::stream::{self, Stream};
use ownership_proto::Encoded;
use ownership_proto::v1::ownership_service_server::{OwnershipService, OwnershipServiceServer};
use ownership_proto::v1::*;
use prost_types::Timestamp;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::data::lead_id;

type Answer<T> = Result<Response<Encoded<T>>, Status>;

/// Answers an owner that it made up.
struct Echo;

/// Serves until the process is killed.
pub async fn serve() -> Result<()> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    println!("echo listening on http://{}", incoming.local_addr()?);
    let server = tonic::transport::Server::builder().add_service(OwnershipServiceServer::new(Echo));
    Ok(server.serve_with_incoming(incoming).await?)
}

/// A change as the service would tell it.
fn one_change() -> Encoded<WatchOwnerChangesResponse> {
    let change = OwnerChange {
        revision: 123_456,
        lead_id: lead_id(17),
        kind: ChangeKind::Reassigned.into(),
        previous_owner_id: Some("member18".to_owned()),
        owner_id: Some("member17".to_owned()),
        occurred_at: Some(Timestamp { seconds: 1_700_000_000, nanos: 123_456_000 }),
        actor: Some(Actor { caller_id: "anonymous".to_owned(), member_id: None }),
        source: Source::Api.into(),
        ..OwnerChange::default()
    };
    let changes =
        WatchChanges { previous_revision: 123_455, revision: 123_456, changes: vec![change], head_revision: 123_456 };
    WatchOwnerChangesResponse { message: Some(watch_owner_changes_response::Message::Changes(changes)) }.into()
}

fn elsewhere<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the bare server only echoes"))
}

#[tonic::async_trait]
impl OwnershipService for Echo {
    async fn get_owner(&self, request: Request<GetOwnerRequest>) -> Answer<GetOwnerResponse> {
        let ownership = Ownership {
            lead_id: request.into_inner().lead_id,
            owner_id: Some("member17".to_owned()),
            owner_since: Some(Timestamp { seconds: 1_700_000_000, nanos: 123_456_000 }),
            revision: 123_456,
        };
        let response = GetOwnerResponse { ownership: Some(ownership), card: None, revision: 123_456 };
        Ok(Response::new(response.into()))
    }

    async fn assign(&self, _: Request<AssignRequest>) -> Answer<AssignResponse> {
        elsewhere()
    }

    async fn bulk_assign(&self, _: Request<BulkAssignRequest>) -> Answer<BulkAssignResponse> {
        elsewhere()
    }

    async fn unassign(&self, _: Request<UnassignRequest>) -> Answer<UnassignResponse> {
        elsewhere()
    }

    async fn list_by_owner(&self, _: Request<ListByOwnerRequest>) -> Answer<ListByOwnerResponse> {
        elsewhere()
    }

    type WatchOwnerChangesStream =
        Pin<Box<dyn Stream<Item = Result<Encoded<WatchOwnerChangesResponse>, Status>> + Send>>;

    async fn watch_owner_changes(
        &self,
        _: Request<WatchOwnerChangesRequest>,
    ) -> Result<Response<Self::WatchOwnerChangesStream>, Status> {
        let message = one_change();
        Ok(Response::new(Box::pin(stream::repeat_with(move || Ok(message.clone())))))
    }

    async fn batch_get_owners(&self, _: Request<BatchGetOwnersRequest>) -> Answer<BatchGetOwnersResponse> {
        elsewhere()
    }

    async fn list_owner_changes(&self, _: Request<ListOwnerChangesRequest>) -> Answer<ListOwnerChangesResponse> {
        elsewhere()
    }

    async fn resolve_senders(&self, _: Request<ResolveSendersRequest>) -> Answer<ResolveSendersResponse> {
        elsewhere()
    }

    type StreamSendersStream = stream::Pending<Result<Encoded<StreamSendersResponse>, Status>>;

    async fn stream_senders(
        &self,
        _: Request<StreamSendersRequest>,
    ) -> Result<Response<Self::StreamSendersStream>, Status> {
        elsewhere()
    }

    async fn count_by_owner(&self, _: Request<CountByOwnerRequest>) -> Answer<CountByOwnerResponse> {
        elsewhere()
    }
}
