//! The ownership service: who owns which lead.
//!
//! A log of facts for each account, a book of its present state in memory, and one door for every change. `ARCHITECTURE.md` is
//! the map: each module below is a room of it.

pub mod accounts;
pub mod ageing;
pub mod cli;
pub mod config;
pub mod context;
pub mod domain;
pub mod history;
pub mod identity;
pub mod jitter;
pub mod leads;
pub mod ledger;
pub mod members;
pub mod metrics;
pub mod ownership;
pub mod page;
pub mod publish;
pub mod rpc;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod watch;
