//! The limit of every call: a server that knows nothing but tonic. It answers bytes that it has at hand.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use ownership_proto::v1::*;
use prost::bytes::{Buf, BufMut, Bytes, BytesMut};
use prost_types::Timestamp;
use tokio::sync::broadcast;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tower::service_fn;

use super::data::lead_id;
use super::wire::{GET_OWNER, LIST_BY_OWNER, Method, Raw, WATCH, encoded};

/// Sends all messages once, and then waits.
pub const BACKLOG: Method = Method("/leadflip.ownership.v1.OwnershipService/Backlog");
/// Follows a message that is sent at a steady pace.
pub const BROADCAST: Method = Method("/leadflip.ownership.v1.OwnershipService/Broadcast");
/// From one such message to the next.
pub const PACE: Duration = Duration::from_millis(10);
/// Messages that may wait for a watcher.
const WAITING: usize = 1_024;

/// Serves until the process is killed. Watches are sent the messages of a file; who asks for a page gets the first of them.
pub async fn serve(messages: Option<&Path>) -> Result<()> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    println!("bare server listening on http://{}", incoming.local_addr()?);
    let messages = match messages {
        Some(path) => unpack(std::fs::read(path)?.into()),
        None => vec![one_change(Timestamp::default())],
    };
    let (sender, _) = broadcast::channel(WAITING);
    tokio::spawn(speak(sender.clone()));
    let bare = Bare { owner: one_owner(), messages: messages.into(), sender };
    Ok(tonic::transport::Server::builder().add_service(bare).serve_with_incoming(incoming).await?)
}

/// Messages one after the other, each behind its length.
pub fn packed(messages: &[Bytes]) -> Bytes {
    let mut all = BytesMut::new();
    for message in messages {
        all.put_u32(message.len() as u32);
        all.put(message.clone());
    }
    all.freeze()
}

fn unpack(mut all: Bytes) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while all.has_remaining() {
        let length = all.get_u32() as usize;
        messages.push(all.split_to(length));
    }
    messages
}

fn one_owner() -> Bytes {
    let ownership = Ownership {
        lead_id: lead_id(17),
        owner_id: Some("member17".to_owned()),
        owner_since: Some(Timestamp { seconds: 1_700_000_000, nanos: 123_456_000 }),
        revision: 123_456,
    };
    encoded(&GetOwnerResponse { ownership: Some(ownership), card: None, revision: 123_456 })
}

/// A change as the service would tell it.
fn one_change(occurred_at: Timestamp) -> Bytes {
    let change = OwnerChange {
        revision: 123_456,
        lead_id: lead_id(17),
        kind: ChangeKind::Reassigned.into(),
        previous_owner_id: Some("member18".to_owned()),
        owner_id: Some("member17".to_owned()),
        occurred_at: Some(occurred_at),
        actor: Some(Actor { caller_id: "anonymous".to_owned(), member_id: None }),
        source: Source::Api.into(),
        ..OwnerChange::default()
    };
    let changes =
        WatchChanges { previous_revision: 123_455, revision: 123_456, changes: vec![change], head_revision: 123_456 };
    encoded(&WatchOwnerChangesResponse { message: Some(watch_owner_changes_response::Message::Changes(changes)) })
}

async fn speak(sender: broadcast::Sender<Bytes>) {
    let mut pace = tokio::time::interval(PACE);
    loop {
        pace.tick().await;
        // Nobody may be listening.
        let _ = sender.send(one_change(SystemTime::now().into()));
    }
}

/// The server.
#[derive(Clone)]
struct Bare {
    owner: Bytes,
    messages: Arc<[Bytes]>,
    sender: broadcast::Sender<Bytes>,
}

type Messages = BoxStream<'static, Result<Bytes, Status>>;

impl Bare {
    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let path = request.uri().path();
        if path == GET_OWNER.0 || path == LIST_BY_OWNER.0 {
            let known = if path == GET_OWNER.0 { &self.owner } else { &self.messages[0] };
            let answer = service_fn(|_: Request<Bytes>| {
                let known = known.clone();
                async move { Ok(Response::new(known)) }
            });
            return Grpc::new(Raw).unary(answer, request).await;
        }
        let messages = if path == WATCH.0 {
            self.repeated()
        } else if path == BACKLOG.0 {
            self.once()
        } else if path == BROADCAST.0 {
            self.spoken()
        } else {
            return Status::unimplemented("the bare server does not know that").into_http();
        };
        let mut messages = Some(messages);
        let answer = service_fn(move |_: Request<Bytes>| {
            let messages = messages.take();
            async move { messages.map(Response::new).ok_or_else(|| Status::internal("asked twice")) }
        });
        Grpc::new(Raw).server_streaming(answer, request).await
    }

    fn repeated(&self) -> Messages {
        let messages = Arc::clone(&self.messages);
        stream::iter(0..).map(move |number: usize| Ok(messages[number % messages.len()].clone())).boxed()
    }

    fn once(&self) -> Messages {
        let messages = Arc::clone(&self.messages);
        stream::iter(0..messages.len()).map(move |number| Ok(messages[number].clone())).chain(stream::pending()).boxed()
    }

    fn spoken(&self) -> Messages {
        let listen = |mut receiver: broadcast::Receiver<Bytes>| async move {
            let message = receiver.recv().await.map_err(|_| Status::data_loss("too slow"));
            Some((message, receiver))
        };
        stream::unfold(self.sender.subscribe(), listen).boxed()
    }
}

impl NamedService for Bare {
    const NAME: &'static str = "leadflip.ownership.v1.OwnershipService";
}

impl tower::Service<http::Request<Body>> for Bare {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let bare = self.clone();
        Box::pin(async move { Ok(bare.answer(request).await) })
    }
}
