//! The service as gRPC: the only place, beside the server and the command line, that names tonic and the generated types.
//!
//! A handler is a sentence: decode, run, encode. What messages mean is in `convert`, what errors become in `status`, and what
//! happens to every call in `layers`.

mod access;
mod accounts;
mod call;
mod convert;
mod encode;
mod expiry;
pub mod layers;
mod leads;
mod members;
mod ownership;
mod parts;
mod status;
mod watch;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ownership_proto::v1::account_service_server::AccountServiceServer;
use ownership_proto::v1::lead_service_server::LeadServiceServer;
use ownership_proto::v1::member_service_server::MemberServiceServer;
use ownership_proto::v1::ownership_service_server::OwnershipServiceServer;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tonic::Extensions;
use tonic::service::Routes;

use crate::domain::caller::Caller;
use crate::identity;
use crate::ledger::Ledger;
use crate::publish::Format;
use crate::watch::Watches;
pub(crate) use call::now;
use status::Failure;

/// What the calls are answered with.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Accounts.
    pub ledger: Ledger,
    /// Watches of them.
    pub watches: Watches,
}

/// How events are written.
pub const EVENTS: Format = convert::events::FORMAT;

/// What callers may send and expect.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Largest request, in bytes.
    pub max_request_bytes: usize,
    /// Longest silence of a watch that asks for none itself.
    pub progress_interval: Duration,
    /// How long one message of a watch may wait for its reader.
    pub send_timeout: Duration,
    /// Whether nobody has to prove who they are.
    pub open_to_all: bool,
}

/// The services of the contract. Answers UNAVAILABLE until it is given something to answer with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rpc(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    backend: OnceLock<Backend>,
    streams: TaskTracker,
    /// Who may stream a snapshot.
    turns: Arc<Semaphore>,
}

impl Rpc {
    /// Services that cannot answer yet.
    pub fn new(options: Options) -> Self {
        let turns = Arc::new(Semaphore::new(parts::AT_ONCE));
        Self(Arc::new(Inner { options, backend: OnceLock::new(), streams: TaskTracker::new(), turns }))
    }

    /// From now on calls are answered.
    pub fn open(&self, backend: Backend) {
        // A second one is not needed: the first answers already.
        let _ = self.0.backend.set(backend);
    }

    /// Ends all watches, the last of them within a time.
    pub fn drain(&self, within: Duration) {
        if let Some(backend) = self.0.backend.get() {
            backend.watches.drain(within);
        }
    }

    /// Takes no more writes.
    pub fn close(&self) {
        if let Some(backend) = self.0.backend.get() {
            backend.ledger.drain();
        }
    }

    /// The services, ready to be routed to.
    pub fn routes(&self) -> Routes {
        let max = self.0.options.max_request_bytes;
        Routes::new(OwnershipServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(LeadServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(MemberServiceServer::new(self.clone()).max_decoding_message_size(max))
            .add_service(AccountServiceServer::new(self.clone()).max_decoding_message_size(max))
    }

    fn backend(&self) -> Result<&Backend, Failure> {
        self.0.backend.get().ok_or_else(Failure::unavailable)
    }

    fn progress_interval(&self) -> Duration {
        self.0.options.progress_interval
    }

    /// Who calls. A call that nobody has looked at gets no further, unless nobody has to be looked at.
    fn caller(&self, extensions: &Extensions) -> Result<Arc<Caller>, Failure> {
        match extensions.get::<Arc<Caller>>() {
            Some(caller) => Ok(Arc::clone(caller)),
            None if self.0.options.open_to_all => Ok(anonymous()),
            None => Err(identity::Error::Missing.into()),
        }
    }
}

fn anonymous() -> Arc<Caller> {
    static ANONYMOUS: OnceLock<Arc<Caller>> = OnceLock::new();
    let anonymous = ANONYMOUS.get_or_init(|| match Caller::anonymous() {
        Ok(caller) => Arc::new(caller),
        Err(why) => unreachable!("{why}"),
    });
    Arc::clone(anonymous)
}
