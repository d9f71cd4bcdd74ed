//! Why a use case did not get what it wanted.

use std::sync::Arc;

use uuid::Uuid;

use crate::context::Moment;
use crate::domain::ids::{LeadId, MemberId, Revision};
use crate::domain::outcome::Refused;
use crate::store;

/// One variant for each thing a caller can tell apart. Unless it says otherwise, nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule says no.
    #[error("the request was refused")]
    Refused(Refused),
    /// The request id was used for something else.
    #[error("request id {request} was used for another {method}")]
    RequestIdReused {
        /// The id.
        request: Uuid,
        /// The method it was used for.
        method: String,
    },
    /// The account has no such lead.
    #[error("no lead {0}")]
    LeadNotFound(LeadId),
    /// The account has no such member.
    #[error("no member {0}")]
    MemberNotFound(MemberId),
    /// The page token was made for something else.
    #[error("the page token was made for something else")]
    PageToken,
    /// The moment lies before the history that is kept.
    #[error("{requested:?} is before the history that is kept")]
    TooOld {
        /// The moment.
        requested: Moment,
        /// Where the history begins.
        floor: Revision,
        /// Where it ends.
        head: Revision,
    },
    /// The moment has not happened.
    #[error("{requested:?} has not happened")]
    InFuture {
        /// The moment.
        requested: Moment,
        /// Where the history begins.
        floor: Revision,
        /// Where it ends.
        head: Revision,
    },
    /// The revision belongs to another history.
    #[error("the revision belongs to another history than {history}")]
    HistoryMismatch {
        /// The present history.
        history: String,
        /// Where it begins.
        floor: Revision,
        /// Where it ends.
        head: Revision,
    },
    /// Too many writes of the account wait, or its head stayed locked.
    #[error("{depth} writes of the account wait")]
    Busy {
        /// How many.
        depth: usize,
    },
    /// The account alone needs more memory than there is for all.
    #[error("the account needs {needed} bytes of memory, of {budget} for all")]
    TooLarge {
        /// What it needs, at least.
        needed: usize,
        /// What there is.
        budget: usize,
    },
    /// The deadline passed. What was already on its way to the database may still happen.
    #[error("the deadline passed")]
    Deadline,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Draining,
    /// The database was lost during a commit and has not come back in time: the write may have happened.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown {
        /// Under which id it can be asked for.
        request: Option<Uuid>,
    },
    /// The database failed. Those who asked together are told together.
    #[error("the database failed")]
    Store(#[source] Arc<store::Error>),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
