//! What happens to every call before and after its handler: one layer per file, each with its reason.
//!
//! `server.rs` says in which order they stand.

pub mod authenticate;
pub mod catch_panic;
pub mod complete_errors;
pub mod content_type;
pub mod deadline;
pub mod telemetry;

mod trailers;
