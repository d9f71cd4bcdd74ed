//! What every behaviour stands on: real servers over a database of their own, verbs to call them with, and the
//! verifier that looks at the tables after each test with code that shares nothing with the service.

mod account;
mod answers;
pub mod authority;
mod call;
pub mod catalogue;
mod collector;
pub mod consumer;
pub mod contract;
pub mod follower;

pub mod events;
pub mod fold;
pub mod golden;
pub mod identity;
pub mod issuer;
pub mod judge;
pub mod keys;
pub mod model;
pub mod nats;
pub mod plan;
pub mod proxy;
pub mod raw;
mod refusal;
mod scrape;
mod server;
pub mod sources;
mod store;
pub mod stream;
pub mod tables;
mod time;
mod verify;
mod watching;
pub mod way;
mod world;
pub mod writers;

pub use account::{
    Account, Change, anybody, card_ids, duty, lead, lead_ids, member, nobody, nobodys, of, owned, to, with,
};
pub use call::{Call, Rpc, When};
pub use collector::{Collector, attributes_of};
pub use ownership_proto::v1 as pb;
pub use pb::{ChangeKind, FailureMode, Outcome, Source, Standing};
pub use refusal::{Refusal, refusal};
pub use scrape::{Scraped, prometheus_name};
pub use server::{Server, previous_program, program, run};
pub use store::{Database, Held, Sql, Store, store};
pub use time::{Dice, at, duration, eventually, micros, now};
pub use tonic::Code;
pub use watching::{Heard, Watching};
pub use way::{Channel, Way};
pub use world::{Setup, World, check, one_replica, three_replicas, two_replicas};
