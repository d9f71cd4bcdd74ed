//! The addresses of the service: looked up again and again, taken in turn, and passed over for a while when they do not answer.
//!
//! Written here because tonic's balancer takes an address that has just refused a connection for as good as any other, and picks at
//! random: of two replicas with one dead, each repetition of a call would have an even chance to meet the dead one again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, Uri};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use crate::{BoxError, Identity};

/// How long an address is passed over after it did not answer, if there is another one.
const PASSED_OVER: Duration = Duration::from_secs(1);
/// How soon addresses may be looked up again because one does not answer.
const SOONEST: Duration = Duration::from_secs(1);
/// How long a lookup may take.
const LOOKUP: Duration = Duration::from_secs(5);

/// How the addresses are found and connected to.
#[derive(Clone)]
pub struct Transport {
    /// How long it may take to connect to an address.
    pub connect_timeout: Duration,
    /// How often a connection that has calls under way is asked whether it lives, and how long it may take to say so.
    pub keep_alive: (Duration, Duration),
    /// How often the names are looked up. They are also looked up when an address does not answer.
    pub look_up_every: Duration,
    /// How `https` is spoken. Unset: with the certificates that the system trusts. The certificate of the service has to name the host
    /// of its address, whatever name is set here.
    pub tls: Option<ClientTlsConfig>,
    /// Who calls. Unset: nobody in particular.
    pub identity: Option<Arc<dyn Identity>>,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            keep_alive: (Duration::from_secs(30), Duration::from_secs(10)),
            look_up_every: Duration::from_secs(30),
            tls: None,
            identity: None,
        }
    }
}

/// All replicas as one: the generated clients can be used over it, then without the deadline and the repetitions of
/// [`Client::call`](crate::Client::call).
#[derive(Clone)]
pub struct Connection {
    replicas: Arc<Replicas>,
    _lookups: Arc<AbortOnDropHandle<()>>,
}

struct Replicas {
    services: Vec<Uri>,
    transport: Transport,
    known: RwLock<Vec<Arc<Replica>>>,
    next: AtomicUsize,
    silent: Notify,
}

struct Replica {
    /// Under which of the services it was found.
    service: usize,
    address: SocketAddr,
    channel: Channel,
    silent_since: Mutex<Option<Instant>>,
}

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "the connection owns the task that looks its addresses up")]
    pub(crate) async fn open(services: Vec<Uri>, transport: Transport) -> Result<Self, Status> {
        if services.is_empty() {
            return Err(Status::invalid_argument("no address of the service is given"));
        }
        let replicas = Replicas {
            services,
            transport,
            known: RwLock::default(),
            next: AtomicUsize::new(fastrand::usize(..)),
            silent: Notify::new(),
        };
        let replicas = Arc::new(replicas);
        replicas.look_up().await?;
        let lookups = tokio::spawn(look_up_always(Arc::clone(&replicas)));
        Ok(Self { replicas, _lookups: Arc::new(AbortOnDropHandle::new(lookups)) })
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        if let Some(identity) = &self.replicas.transport.identity {
            request.headers_mut().insert(AUTHORIZATION, bearer(identity.as_ref()).await?);
        }
        let none = || Status::unavailable("the name of the service has no address");
        let replica = self.replicas.take().ok_or_else(none)?;
        let answer = replica.channel.clone().oneshot(request).await;
        let silent = answer.is_err();
        replica.silent_since.lock().clone_from(&silent.then(Instant::now));
        if silent {
            self.replicas.silent.notify_one();
        }
        Ok(answer?)
    }
}

/// The header that says who calls.
async fn bearer(identity: &dyn Identity) -> Result<HeaderValue, Status> {
    let unknown = |cause: BoxError| Status::new(Code::Unauthenticated, format!("there is no token: {cause}"));
    let token = identity.token().await.map_err(unknown)?;
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| unknown(error.into()))?;
    header.set_sensitive(true);
    Ok(header)
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

impl Replicas {
    /// The next one that is not known to be silent; the next one, if all are.
    fn take(&self) -> Option<Arc<Replica>> {
        let known = self.known.read();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut in_turn = (0..known.len()).map(|step| &known[first.wrapping_add(step) % known.len()]);
        let next = in_turn.clone().next();
        in_turn.find(|replica| !replica.is_silent()).or(next).cloned()
    }

    /// Looks the names up. What cannot be found stays as it was: a name server that is away takes no replica away.
    async fn look_up(&self) -> Result<(), Status> {
        for (service, uri) in self.services.iter().enumerate() {
            match addresses(uri).await {
                Ok(addresses) => self.replace(service, addresses)?,
                Err(error) => tracing::warn!(%uri, %error, "the service's name cannot be looked up"),
            }
        }
        Ok(())
    }

    fn replace(&self, service: usize, addresses: Vec<SocketAddr>) -> Result<(), Status> {
        let mut known = self.known.write();
        known.retain(|replica| replica.service != service || addresses.contains(&replica.address));
        for address in addresses {
            if !known.iter().any(|replica| replica.service == service && replica.address == address) {
                let channel = self.endpoint(&self.services[service], address)?.connect_lazy();
                known.push(Arc::new(Replica { service, address, channel, silent_since: Mutex::new(None) }));
            }
        }
        Ok(())
    }

    fn endpoint(&self, service: &Uri, address: SocketAddr) -> Result<Endpoint, Status> {
        let Transport { connect_timeout, keep_alive, look_up_every: _, tls, identity: _ } = &self.transport;
        let invalid = |error: &dyn std::error::Error| Status::invalid_argument(format!("{service}: {error}"));
        let scheme = service.scheme_str().unwrap_or("http");
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}")).map_err(|error| invalid(&error))?;
        let endpoint = endpoint
            .origin(service.clone())
            .connect_timeout(*connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(keep_alive.0)
            .keep_alive_timeout(keep_alive.1);
        if scheme != "https" {
            return Ok(endpoint);
        }
        let tls = tls.clone().unwrap_or_else(|| ClientTlsConfig::new().with_native_roots());
        let named = tls.domain_name(host(service).unwrap_or_default());
        endpoint.tls_config(named).map_err(|error| invalid(&error))
    }
}

impl Replica {
    fn is_silent(&self) -> bool {
        self.silent_since.lock().is_some_and(|since| since.elapsed() < PASSED_OVER)
    }
}

/// Looks the names up, for ever.
async fn look_up_always(replicas: Arc<Replicas>) {
    loop {
        let _ = timeout(replicas.transport.look_up_every, replicas.silent.notified()).await;
        if let Err(error) = replicas.look_up().await {
            tracing::warn!(%error, "an address of the service cannot be used");
        }
        tokio::time::sleep(SOONEST).await;
    }
}

async fn addresses(service: &Uri) -> Result<Vec<SocketAddr>, BoxError> {
    let host = host(service).ok_or("there is no host in it")?;
    let port = service.port_u16().unwrap_or(if service.scheme_str() == Some("https") { 443 } else { 80 });
    let found: Vec<_> = timeout(LOOKUP, tokio::net::lookup_host((host, port))).await??.collect();
    if found.is_empty() { Err("it has no address".into()) } else { Ok(found) }
}

/// The host of an address; of IPv6 without its brackets, which are no part of a name.
fn host(service: &Uri) -> Option<&str> {
    Some(service.host()?.trim_matches(['[', ']']))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn replicas(addresses: &[&str]) -> Replicas {
        let replicas = Replicas {
            services: vec![Uri::from_static("http://ownership:50051")],
            transport: Transport::default(),
            known: RwLock::default(),
            next: AtomicUsize::new(0),
            silent: Notify::new(),
        };
        replicas.replace(0, parse(addresses)).unwrap();
        replicas
    }

    fn parse(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn taken(replicas: &Replicas) -> Vec<String> {
        (0..4).map(|_| replicas.take().unwrap().address.to_string()).collect()
    }

    const A: &str = "10.0.0.1:1";
    const B: &str = "10.0.0.2:1";
    const C: &str = "10.0.0.3:1";

    #[tokio::test(start_paused = true)]
    async fn replicas_are_taken_in_turn_and_the_silent_ones_passed_over_for_a_while() {
        let replicas = replicas(&[A, B]).await;
        assert_eq!(taken(&replicas), [A, B, A, B]);
        *replicas.take().unwrap().silent_since.lock() = Some(Instant::now());
        assert_eq!(taken(&replicas), [B, B, B, B]);
        tokio::time::advance(PASSED_OVER).await;
        assert_eq!(taken(&replicas), [B, A, B, A]);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_silent_they_are_tried_all_the_same() {
        let replicas = replicas(&[A, B]).await;
        for replica in replicas.known.read().iter() {
            *replica.silent_since.lock() = Some(Instant::now());
        }
        assert_eq!(taken(&replicas), [A, B, A, B]);
    }

    #[tokio::test]
    async fn what_a_name_no_longer_means_is_dropped_and_what_stays_keeps_its_connection() {
        let replicas = replicas(&[A, B]).await;
        let kept = Arc::as_ptr(&replicas.known.read()[1]);
        replicas.replace(0, parse(&[B, C])).unwrap();
        assert_eq!(taken(&replicas), [B, C, B, C]);
        assert_eq!(Arc::as_ptr(&replicas.known.read()[0]), kept);
    }

    #[tokio::test]
    async fn encrypted_addresses_are_names_and_numbers_of_both_kinds() {
        for (service, address) in [("https://localhost:1", "127.0.0.1:1"), ("https://[::1]:1", "[::1]:1")] {
            let replicas = replicas(&[]).await;
            let endpoint = replicas.endpoint(&Uri::from_static(service), address.parse().unwrap());
            assert!(endpoint.is_ok(), "{endpoint:?}");
        }
    }

    #[tokio::test]
    async fn a_name_is_all_its_addresses_and_one_that_means_nothing_is_no_error() {
        let found = addresses(&Uri::from_static("http://localhost:7")).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7), "{found:?}");
        assert_eq!(addresses(&Uri::from_static("https://[::1]")).await.unwrap(), parse(&["[::1]:443"]));
        assert!(addresses(&Uri::from_static("/path")).await.is_err());
    }
}
