//! Calls with messages that are encoded already, and answers that stay so. Client and server share the processor, so what a client
//! does with an answer would count against whoever gave it.

use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use http::uri::PathAndQuery;
use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{IntoRequest, Request, Status, Streaming};

/// A method, by its path.
#[derive(Debug, Clone, Copy)]
pub struct Method(pub &'static str);

/// The methods that are called without decoding.
pub const GET_OWNER: Method = Method("/leadflip.ownership.v1.OwnershipService/GetOwner");
pub const ASSIGN: Method = Method("/leadflip.ownership.v1.OwnershipService/Assign");
pub const LIST_BY_OWNER: Method = Method("/leadflip.ownership.v1.OwnershipService/ListByOwner");
pub const BATCH_GET_OWNERS: Method = Method("/leadflip.ownership.v1.OwnershipService/BatchGetOwners");
pub const RESOLVE_SENDERS: Method = Method("/leadflip.ownership.v1.OwnershipService/ResolveSenders");
pub const STREAM_SENDERS: Method = Method("/leadflip.ownership.v1.OwnershipService/StreamSenders");
pub const COUNT_BY_OWNER: Method = Method("/leadflip.ownership.v1.OwnershipService/CountByOwner");
pub const WATCH: Method = Method("/leadflip.ownership.v1.OwnershipService/WatchOwnerChanges");
pub const HEALTH: Method = Method("/grpc.health.v1.Health/Check");

impl Method {
    /// Asks and gets one answer.
    pub async fn call(self, channel: Channel, request: impl IntoRequest<Bytes>) -> Result<Bytes> {
        let mut client = Grpc::new(channel);
        client.ready().await?;
        Ok(client.unary(request.into_request(), PathAndQuery::from_static(self.0), Raw).await?.into_inner())
    }

    /// Asks and gets a stream of answers.
    pub async fn stream(self, channel: Channel, request: Bytes) -> Result<Streaming<Bytes>> {
        let mut client = Grpc::new(channel);
        client.ready().await?;
        Ok(client.server_streaming(Request::new(request), PathAndQuery::from_static(self.0), Raw).await?.into_inner())
    }
}

/// A message as it is sent.
pub fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

/// What answers have to look like. The first that a sample gets is decoded and looked into; each after it has to be
/// half as long at least, so that nothing counts as work which is none. An error is a status, and ends the sample.
#[derive(Debug)]
pub struct Check {
    look: fn(&[u8]) -> Result<u64>,
    /// Length of the first answer, and the items it had.
    first: OnceLock<(usize, u64)>,
}

impl Check {
    /// `look` decodes an answer and says how many items it has.
    pub fn new(look: fn(&[u8]) -> Result<u64>) -> Self {
        Self { look, first: OnceLock::new() }
    }

    /// How many items an answer has.
    pub fn items(&self, answer: &[u8]) -> Result<u64> {
        let Some((length, items)) = self.first.get() else {
            let items = (self.look)(answer).context("an answer that should not be")?;
            return Ok(self.first.get_or_init(|| (answer.len(), items)).1);
        };
        ensure!(answer.len() * 2 >= *length, "an answer of {} bytes after one of {length}", answer.len());
        Ok(*items)
    }
}

/// Neither encodes nor decodes.
#[derive(Debug, Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
