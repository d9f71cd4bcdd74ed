//! Client of the ownership service, for programs that are to run for long: what it does goes on when replicas and brokers come and go.
//!
//! - [`Client`] makes calls: to all addresses of the service in turn, with a deadline, repeated under the same request id where that can
//!   help. [`Error`] has the reason of a refusal.
//! - [`Watch`] follows the owner changes of an account, and goes on after the last revision it has seen when the stream is cut.
//! - [`Consumer`] follows the events of all accounts on NATS JetStream. A [`Handler`] applies them to tables of its own, and keeps
//!   beside them how far it has come; duplicates, gaps, fragments, other histories and events that nobody can read are dealt with here.
//!
//! ```no_run
//! use ownership_client::{Client, Options, proto::v1::AssignRequest};
//!
//! # async fn assign() -> Result<(), ownership_client::Error> {
//! let client = Client::open(["http://ownership:50051"], Options::default()).await?;
//! let assign = AssignRequest {
//!     account_id: "acme".into(),
//!     lead_id: "L1".into(),
//!     owner_id: "anna".into(),
//!     ..Default::default()
//! };
//! let answer = client.call(assign).await?;
//! println!("revision {}", answer.revision);
//! # Ok(())
//! # }
//! ```

mod client;
mod consume;
mod error;
mod identity;
mod replicas;
mod retry;
mod rpc;
#[cfg(test)]
mod service_config;
mod watch;

pub use client::{Client, Options};
pub use consume::parking::{Parked, Parking, ParkingFile, ParkingStream};
pub use consume::{
    Applied, Beginning, Consumer, ConsumerOptions, Counts, Fault, Handler, Position, Start, StartOver, Step,
};
pub use error::Error;
pub use identity::{Identity, TokenFile};
pub use ownership_proto as proto;
pub use replicas::{Connection, Transport};
pub use retry::Retry;
pub use rpc::Rpc;
/// The gRPC library, of which codes, statuses, and how connections are encrypted are.
pub use tonic;
pub use watch::{Watch, Watched};

/// An error of somebody else's making.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
