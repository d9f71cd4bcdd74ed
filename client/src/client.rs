//! Calls.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use ownership_proto::v1::WatchOwnerChangesRequest;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Request, Status};

use crate::retry::{Backoff, Budget, is_passing};
use crate::{Connection, Error, Retry, Rpc, Transport, Watch};

/// How a client makes calls.
#[derive(Clone)]
pub struct Options {
    /// How long a call may take, all repetitions together. For a stream: until it begins.
    pub deadline: Duration,
    /// How calls are repeated.
    pub retry: Retry,
    /// How the service is reached.
    pub transport: Transport,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), retry: Retry::default(), transport: Transport::default() }
    }
}

/// A client of the service. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    connection: Connection,
    deadline: Duration,
    retry: Retry,
    budget: Arc<Budget>,
}

impl Client {
    /// Opens a client to one or several addresses, such as `http://ownership:50051`. A name that means several addresses is all of
    /// them. Nothing is connected to before the first call; an address that cannot be understood is refused.
    pub async fn open<S: AsRef<str>>(addresses: impl IntoIterator<Item = S>, options: Options) -> Result<Self, Error> {
        let Options { deadline, retry, transport } = options;
        let services = addresses.into_iter().map(|address| parse(address.as_ref())).collect::<Result<_, _>>()?;
        let connection = Connection::open(services, transport).await?;
        Ok(Self { connection, deadline, retry, budget: Arc::new(Budget::full()) })
    }

    /// Makes a call, within the deadline of the client.
    ///
    /// It is repeated while it fails for a passing reason: the replica or its database is away, the account is busy, the connection
    /// broke. A write that brings no request id gets one here, so it happens once however often it is sent; a call that ends with
    /// an unknown outcome can be made again under the same id, if the caller has brought one.
    pub async fn call<R: Rpc>(&self, request: R) -> Result<R::Answer, Error> {
        self.call_within(self.deadline, request).await
    }

    /// Makes a call within another deadline.
    pub async fn call_within<R: Rpc>(&self, deadline: Duration, mut request: R) -> Result<R::Answer, Error> {
        request.identify();
        let end = Instant::now() + deadline;
        let mut backoff = Backoff::new(self.retry.first_pause, self.retry.longest_pause);
        let mut attempts = 1;
        loop {
            let error = match self.attempt(request.clone(), end).await {
                Ok(answer) => {
                    self.budget.succeeded();
                    return Ok(answer);
                }
                Err(status) => Error::new(status, attempts),
            };
            let pause = backoff.pause() + error.retry_after().unwrap_or_default();
            let too_late = Instant::now() + pause >= end;
            if !is_passing(&error) || attempts >= self.retry.attempts || too_late || !self.budget.failed() {
                return Err(error);
            }
            tracing::debug!(method = R::METHOD, %error, "a call is repeated");
            sleep(pause).await;
            attempts += 1;
        }
    }

    /// Makes a call once.
    async fn attempt<R: Rpc>(&self, request: R, end: Instant) -> Result<R::Answer, Status> {
        let mut request = Request::new(request);
        if !R::STREAMS {
            request.set_timeout(end.saturating_duration_since(Instant::now()));
        }
        let late = || Status::deadline_exceeded("there was no answer in time");
        timeout_at(end, R::send(request, self.connection.clone())).await.unwrap_or_else(|_| Err(late()))
    }

    /// Opens a stream once.
    pub(crate) async fn open_stream<R: Rpc>(&self, request: R) -> Result<R::Answer, Error> {
        Ok(self.attempt(request, Instant::now() + self.deadline).await?)
    }

    /// Follows the owner changes of an account. `request` says where to start.
    pub fn watch(&self, request: WatchOwnerChangesRequest) -> Watch {
        Watch::new(self.clone(), request)
    }

    /// The way to all replicas, for generated clients.
    pub fn connection(&self) -> Connection {
        self.connection.clone()
    }
}

fn parse(address: &str) -> Result<Uri, Status> {
    let invalid = || Status::invalid_argument(format!("{address} is no address like http://HOST:PORT"));
    let uri: Uri = address.parse().map_err(|_| invalid())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if known { Ok(uri) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_understood_is_refused() {
        for address in ["", "ownership", "ownership:50051", "tcp://ownership:1", "http://"] {
            assert!(Client::open([address], Options::default()).await.is_err(), "{address}");
        }
        assert!(Client::open([""; 0], Options::default()).await.is_err());
    }
}
