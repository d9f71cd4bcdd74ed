//! The ownership service: who owns which lead.

pub mod accounts;
pub mod context;
pub mod domain;
pub mod history;
pub mod leads;
pub mod ledger;
pub mod members;
pub mod metrics;
pub mod ownership;
pub mod page;
pub mod store;
pub mod watch;
