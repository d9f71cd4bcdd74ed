//! Why something is not published, for the moment.

use super::broker;
use crate::domain::ids::{AccountId, Revision};
use crate::store;

/// Why an account was not published.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The broker did not do it.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Store(#[from] store::Error),
    /// The stream has what the log has not: the database was put back, and goes on under the same history.
    #[error("account {account} is at revision {log} and was published up to {stream}: give the history a new id")]
    Ahead {
        /// The account.
        account: AccountId,
        /// Where the log ends.
        log: Revision,
        /// Where the stream ends.
        stream: Revision,
    },
    /// The stream ends with something else than the log has there: as before, and the log has grown since.
    #[error("revision {revision} of account {account} is not the one that was published: give the history a new id")]
    Diverged {
        /// The account.
        account: AccountId,
        /// Where the stream ends.
        revision: Revision,
    },
}

impl Failure {
    /// What went wrong, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Broker(error) => error.kind(),
            Self::Store(_) => "store",
            Self::Ahead { .. } => "ahead",
            Self::Diverged { .. } => "diverged",
        }
    }
}
