//! The server: one listener, the layers every call goes through, readiness, and an orderly end.

mod admin;
mod connection;
mod gather;
mod health;
pub(crate) mod identity;
pub(crate) mod publishing;
mod readiness;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ownership_proto::FILE_DESCRIPTOR_SET;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic_health::pb::FILE_DESCRIPTOR_SET as HEALTH_DESCRIPTORS;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder as Reflection;
use tower::util::option_layer;

use crate::config::{self, Config};
use crate::jitter::jittered;
use crate::rpc::layers::{authenticate::Authenticate, catch_panic, complete_errors::CompleteErrors};
use crate::rpc::layers::{content_type::OnlyGrpc, deadline::Deadlines, telemetry::Observe};
use crate::rpc::{self, Rpc};
use admin::Admin;
use health::Health;
use identity::Identity;
use readiness::Readiness;

pub use readiness::NotReady;

/// Streams of one connection at the same time. tonic has no limit unless told.
const STREAMS_PER_CONNECTION: u32 = 128;
/// Streams a connection may make the server reset before it is closed. Without a limit the queue of resets grows for ever.
const LOCAL_RESETS: usize = 256;
/// Headers of one request, in bytes.
const HEADER_BYTES: u32 = 16 * 1024;
/// How often a silent connection is asked whether it lives, and how long it has to answer.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);

/// Why the server could not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The admin port cannot be served.
    #[error("cannot serve the admin port at {address}, which admin.listen moves elsewhere")]
    Admin {
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database cannot be used, and waiting would not help.
    #[error("the database cannot be used")]
    NotReady(#[from] NotReady),
    /// Connections cannot be encrypted, or callers not be told apart, as configured.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The service cannot describe itself.
    #[error("the descriptors of the contract cannot be read")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The listener failed.
    #[error("the listener failed")]
    Transport(#[from] tonic::transport::Error),
    /// The task of the listener failed.
    #[error("the listener ended unexpectedly")]
    Task(#[from] JoinError),
}

/// A server that listens, and answers nothing yet.
pub struct Server {
    config: Config,
    incoming: TcpIncoming,
    address: SocketAddr,
    admin: Option<Admin>,
}

impl Server {
    /// Listens.
    pub fn bind(config: Config) -> Result<Self, Error> {
        let wanted = config.server.listen;
        let cannot = |source| Error::Listen { address: wanted, source };
        // tonic's own settings of sockets do not reach a listener that is handed to it.
        let incoming = TcpIncoming::bind(wanted).map_err(cannot)?;
        let incoming = incoming.with_nodelay(Some(true)).with_keepalive(Some(KEEPALIVE));
        let address = incoming.local_addr().map_err(cannot)?;
        warn_of_strangers(&config, address);
        let admin = Admin::bind(&config.admin)?;
        Ok(Self { config, incoming, address, admin })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The same for those who call.
    pub fn url(&self) -> String {
        let scheme = if self.config.server.tls.is_on() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Begins to accept calls, and waits for the first attempt to get ready. On Postgres a failed attempt is repeated in the
    /// background, and calls are answered UNAVAILABLE until one succeeds.
    #[expect(clippy::disallowed_methods, reason = "the server owns the task of its listener and awaits it")]
    pub async fn start(self) -> Result<Running, Error> {
        let Self { config, incoming, address: _, admin } = self;
        let identity = identity::open(&config).await?;
        let rpc = Rpc::new(rpc_options(&config));
        let reporter = HealthReporter::new();
        let health = Health::starting(reporter.clone()).await;
        let admin = admin.map(|admin| admin.open(health.clone(), &config)).transpose()?;
        let stop = CancellationToken::new();
        let routes = routes(&config, &rpc, reporter)?;
        let listener = tokio::spawn(serve(config.server.clone(), routes, identity, incoming, stop.clone()));
        let readiness = Readiness::new(rpc.clone(), health).open(&config).await?;
        Ok(Running { config: config.server, rpc, readiness, listener, stop, _admin: admin })
    }
}

/// A server that accepts calls.
pub struct Running {
    config: config::Server,
    rpc: Rpc,
    readiness: readiness::Kept,
    listener: JoinHandle<Result<(), tonic::transport::Error>>,
    stop: CancellationToken,
    _admin: Option<admin::Open>,
}

impl Running {
    /// Serves until `shutdown` completes, then ends: health says NOT_SERVING, for a while calls are still accepted, then watches
    /// end with DRAINING, and calls under way get the configured time to finish.
    pub async fn serve(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::select! {
            () = shutdown => {}
            ended = &mut self.listener => return Ok(ended??),
        }
        tracing::info!("shutting down");
        self.readiness.leave().await;
        sleep(self.config.drain_delay).await;
        self.stop.cancel();
        self.readiness.drain(self.config.drain / 2).await;
        let ended = timeout(self.config.drain, async {
            self.rpc.streams_ended().await;
            (&mut self.listener).await
        });
        match ended.await {
            Ok(ended) => ended??,
            Err(_) => {
                tracing::warn!(waited = ?self.config.drain, "calls that did not finish in time are cut off");
                self.listener.abort();
            }
        }
        self.readiness.close().await;
        Ok(())
    }
}

fn rpc_options(config: &Config) -> rpc::Options {
    rpc::Options {
        max_request_bytes: config.server.max_request_bytes,
        progress_interval: config.watch.progress_interval,
        send_timeout: config.watch.send_timeout,
        open_to_all: !config.authenticates(),
    }
}

/// Says who gets in. What is risky has been agreed to in the configuration.
fn warn_of_strangers(config: &Config, address: SocketAddr) {
    match (config.authenticates(), address.ip().is_loopback()) {
        (false, true) => tracing::info!("nobody has to prove who they are; only this machine can connect"),
        (false, false) => {
            tracing::warn!(%address, "anybody who reaches this address can use every account: nobody has to prove who they are");
        }
        (true, false) if !config.server.tls.is_on() => {
            tracing::warn!(%address, "tokens travel unencrypted: set server.tls, or put something before it that encrypts");
        }
        (true, _) => {}
    }
}

fn routes(config: &Config, rpc: &Rpc, health: HealthReporter) -> Result<Routes, Error> {
    let health = tonic_health::pb::health_server::HealthServer::new(HealthService::from_health_reporter(health));
    let routes = rpc.routes().add_service(health);
    if !config.server.reflection {
        return Ok(routes);
    }
    let reflection = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(HEALTH_DESCRIPTORS)
    };
    Ok(routes.add_service(reflection().build_v1()?).add_service(reflection().build_v1alpha()?))
}

async fn serve(
    config: config::Server,
    routes: Routes,
    identity: Identity,
    incoming: TcpIncoming,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let Identity { tls, gate, .. } = &identity;
    let deadlines = Deadlines { default: config.default_deadline, max: config.max_deadline };
    // No max_connection_age_grace, ever: with it, tonic cuts connections without a GOAWAY.
    tonic::transport::Server::builder()
        // Another one for each process: replicas that were started together do not send their clients on together. tonic takes none
        // for each connection.
        .max_connection_age(jittered(config.max_connection_age))
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_local_error_reset_streams(Some(LOCAL_RESETS))
        .http2_max_header_list_size(HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER))
        // Outermost: what does not speak gRPC is no call, and no work is done for it.
        .layer(OnlyGrpc)
        // Around all that answers a call, so that it sees the code every call really ends with.
        .layer(Observe)
        // Outside of everything that may end a call without a reason of the contract.
        .layer(CompleteErrors { max_request_bytes: config.max_request_bytes })
        // Covers reading the request and the handler.
        .layer(deadlines)
        // Around all that looks into a call: what panics is answered like what fails.
        .layer(catch_panic::layer())
        // Innermost, so that finding out who calls has a deadline and an answer like everything else. Handlers know the caller.
        .layer(option_layer(gate.clone().map(Authenticate)))
        .add_routes(routes)
        .serve_with_incoming_shutdown(connection::accept(incoming, tls.clone()), stop.cancelled_owned())
        .await
}
