//! What every use case is told about the call it serves.

use tokio::time::Instant;

use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;

/// The first argument of every use case.
#[derive(Debug, Clone)]
pub struct Context {
    /// The account the call is about.
    pub account: AccountId,
    /// The time it arrived.
    pub now: Timestamp,
    /// When nobody waits for its answer any more.
    pub deadline: Instant,
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Every write that was answered before the read began, on any replica.
    Strict,
    /// At least this revision.
    AtLeast(Revision),
    /// Whatever the replica knows.
    Any,
}

/// A moment of the account's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Right after this revision.
    Revision(Revision),
    /// As of this time.
    Time(Timestamp),
}
