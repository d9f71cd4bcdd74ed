//! Calls to a server that fails as told.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it is surprised")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::BoxFuture;
use ownership_client::proto::Encoded;
use ownership_client::proto::v1::account_service_server::{AccountService, AccountServiceServer};
use ownership_client::proto::v1::{
    GetSettingsRequest, GetSettingsResponse, UpdateSettingsRequest, UpdateSettingsResponse, WriteContext,
};
use ownership_client::{BoxError, Client, Identity, Options, Transport};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};

/// What it heard: who called, and under which request id.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// A server that is away for the first calls.
struct Away {
    for_calls: usize,
    heard: Heard,
}

#[tonic::async_trait]
impl AccountService for Away {
    async fn get_settings(
        &self,
        _: Request<GetSettingsRequest>,
    ) -> Result<Response<Encoded<GetSettingsResponse>>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn update_settings(
        &self,
        request: Request<UpdateSettingsRequest>,
    ) -> Result<Response<Encoded<UpdateSettingsResponse>>, Status> {
        let caller = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let context = request.into_inner().context.unwrap();
        let mut heard = self.heard.lock();
        heard.push((caller.unwrap_or_default(), context.request_id));
        if heard.len() <= self.for_calls {
            return Err(Status::unavailable("away"));
        }
        Ok(Response::new(Encoded::of(&UpdateSettingsResponse::default())))
    }
}

/// A caller whose token is another one each time.
struct Numbered(AtomicU32);

impl Identity for Numbered {
    fn token(&self) -> BoxFuture<'_, Result<String, BoxError>> {
        Box::pin(async { Ok(format!("token-{}", self.0.fetch_add(1, Ordering::Relaxed))) })
    }
}

/// A caller who has no token.
struct Nobody;

impl Identity for Nobody {
    fn token(&self) -> BoxFuture<'_, Result<String, BoxError>> {
        Box::pin(async { Err("the vault is closed".into()) })
    }
}

async fn client(for_calls: usize, identity: impl Identity) -> (Client, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Heard::default());
    let server = AccountServiceServer::new(Away { for_calls, heard: Arc::clone(&heard) });
    tokio::spawn(Server::builder().add_service(server).serve_with_incoming(TcpListenerStream::new(listener)));
    let transport = Transport { identity: Some(Arc::new(identity)), ..Transport::default() };
    let options = Options { transport, ..Options::default() };
    (Client::open([format!("http://{address}")], options).await.unwrap(), heard)
}

#[tokio::test]
async fn a_write_is_repeated_under_the_same_id_and_says_each_time_who_calls() {
    let (client, heard) = client(2, Numbered(AtomicU32::new(1))).await;
    client.call(UpdateSettingsRequest::default()).await.unwrap();
    let heard = heard.lock().clone();
    let (callers, ids): (Vec<_>, Vec<_>) = heard.into_iter().unzip();
    assert_eq!(callers, ["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
    assert!(ids.iter().all(|id| !id.is_empty() && *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn the_request_id_of_the_caller_is_the_one_that_is_sent() {
    let (client, heard) = client(1, "secret".to_owned()).await;
    let context = Some(WriteContext { request_id: "mine".to_owned(), ..Default::default() });
    client.call(UpdateSettingsRequest { context, ..Default::default() }).await.unwrap();
    assert_eq!(*heard.lock(), [(); 2].map(|()| ("Bearer secret".to_owned(), "mine".to_owned())));
}

#[tokio::test]
async fn nothing_is_sent_without_the_token_that_should_be_there() {
    let (client, heard) = client(0, Nobody).await;
    let error = client.call(UpdateSettingsRequest::default()).await.unwrap_err();
    assert_eq!((error.code(), error.attempts()), (Code::Unauthenticated, 1));
    assert!(error.to_string().contains("the vault is closed"), "{error}");
    assert!(heard.lock().is_empty());
}
