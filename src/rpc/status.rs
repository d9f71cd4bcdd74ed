//! The one exit for errors: each becomes a reason of the contract, with its code, its metadata and a text for people.
//!
//! Nothing of a driver, of the database or of the code gets out. What is a defect is logged here, under an id that the caller is
//! told.

mod identity;
mod refused;
mod text;

use std::error::Error as StdError;
use std::time::Duration;

use ownership_proto::v1::ErrorReason as Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use uuid::Uuid;

use super::call::Mismatch;
use super::convert::Invalid;
use crate::domain::ids::Revision;
use crate::domain::outcome::Refused;
use crate::{ledger, store, watch};
pub(super) use identity::{identity_expired, method_not_allowed};
pub(super) use refused::refused;
use text::position;

/// The domain of every `ErrorInfo`.
pub(super) const DOMAIN: &str = "ownership.leadflip";
const PREFIX: &str = "ERROR_REASON_";

/// Clients accept no more than 8 KiB of trailers, and base64 makes 4 bytes of 3: what is longer is never read. The positions of
/// all bad items take up to 2,000 bytes more.
const MAX_VIOLATION_BYTES: usize = 3_500;

/// When to come back to an account that is busy.
const BUSY_DELAY: Duration = Duration::from_millis(200);
/// When to come back to a service whose replica shuts down: another one answers, once the connection to it is made.
const DRAINING_DELAY: Duration = Duration::from_millis(100);

/// Why a call failed, as its caller is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    /// The reason; the code follows from it.
    pub(super) reason: Reason,
    /// What belongs to the reason.
    pub(super) metadata: Vec<(&'static str, String)>,
    /// Fields or items that are to blame, by path, with what is wrong.
    pub(super) violations: Vec<(String, String)>,
    /// When to try again.
    pub(super) retry: Option<Duration>,
    /// The same for people.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, metadata: Vec::new(), violations: Vec::new(), retry: None, message: message.into() }
    }

    fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.metadata.push((key, value.to_string()));
        self
    }

    fn with_some(self, key: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// A request of which one field is wrong.
    pub(super) fn field(path: &str, description: &str) -> Self {
        Self::from(Invalid::field(path, description))
    }

    /// The deadline passed.
    pub(super) fn deadline() -> Self {
        Self::new(Reason::DeadlineExceeded, "the deadline passed before the work was done")
    }

    /// The service does not take calls yet, or has lost its database.
    pub(super) fn unavailable() -> Self {
        Self::new(Reason::StoreUnavailable, "the database cannot be reached at present; nothing was written")
    }

    /// A defect. Its cause is logged and kept from the caller.
    pub(super) fn incident(cause: &(dyn StdError + 'static)) -> Self {
        let incident_id = incident();
        tracing::error!(%incident_id, error = cause, "a call failed for a defect");
        Self::of_incident(incident_id)
    }

    /// A defect that is known by a text only.
    pub(super) fn incident_text(cause: &str) -> Self {
        let incident_id = incident();
        tracing::error!(%incident_id, error = cause, "a call failed for a defect");
        Self::of_incident(incident_id)
    }

    fn of_incident(id: Uuid) -> Self {
        Self::new(Reason::Internal, format!("the service failed; its log has the cause as incident {id}"))
            .with("incident_id", id)
    }

    /// The reason without its prefix.
    pub(super) fn reason_name(&self) -> &'static str {
        let name = self.reason.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }
}

#[expect(clippy::disallowed_methods, reason = "an incident belongs to nothing that could bring an id")]
fn incident() -> Uuid {
    Uuid::now_v7()
}

/// The code that belongs to a reason.
fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidField | Reason::DuplicateItem | Reason::PageTokenInvalid | Reason::MalformedRequest => {
            Code::InvalidArgument
        }
        Reason::RequestIdReused => Code::AlreadyExists,
        Reason::LeadNotFound | Reason::MemberNotFound => Code::NotFound,
        Reason::OwnerUnknown
        | Reason::OwnerInactive
        | Reason::OwnerLeaving
        | Reason::OwnerMismatch
        | Reason::ManagerUnknown
        | Reason::ManagerCycle => Code::FailedPrecondition,
        Reason::RevisionMismatch => Code::Aborted,
        Reason::PositionTooOld | Reason::PositionInFuture | Reason::HistoryMismatch => Code::OutOfRange,
        Reason::RequestTooLarge
        | Reason::WatchLimitReached
        | Reason::WatchTooSlow
        | Reason::AccountBusy
        | Reason::AccountTooLarge => Code::ResourceExhausted,
        Reason::DeadlineExceeded => Code::DeadlineExceeded,
        Reason::StoreUnavailable | Reason::Draining | Reason::KeysUnavailable => Code::Unavailable,
        Reason::OutcomeUnknown => Code::Unknown,
        Reason::MethodUnknown => Code::Unimplemented,
        Reason::CredentialsMissing | Reason::TokenInvalid | Reason::IdentityExpired => Code::Unauthenticated,
        Reason::CallerUnknown | Reason::MethodNotAllowed | Reason::AccountNotAllowed | Reason::MemberNotAllowed => {
            Code::PermissionDenied
        }
        Reason::Internal | Reason::Unspecified => Code::Internal,
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let name = failure.reason_name();
        let Failure { reason, metadata, violations, retry, message } = failure;
        let metadata: Vec<_> = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(
            name,
            DOMAIN,
            metadata.into_iter().collect::<std::collections::HashMap<_, _>>(),
        );
        if !violations.is_empty() {
            details.set_bad_request(fitting(violations));
        }
        if retry.is_some() {
            details.set_retry_info(retry);
        }
        Status::with_error_details(code(reason), message, details)
    }
}

/// As many violations as get through to the caller. The metadata say how many there are.
fn fitting(violations: Vec<(String, String)>) -> Vec<FieldViolation> {
    let mut bytes = 0;
    let fits = |(field, description): &(String, String)| {
        // Two tags and lengths for the violation's fields, one for the violation.
        bytes += field.len() + description.len() + 8;
        bytes <= MAX_VIOLATION_BYTES
    };
    violations
        .into_iter()
        .take_while(fits)
        .map(|(field, description)| FieldViolation::new(field, description))
        .collect()
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::Fields(violations) => {
                let count = violations.len();
                let first = violations.first().map(ToString::to_string).unwrap_or_default();
                let message = if count == 1 { first } else { format!("{count} fields are wrong; the first: {first}") };
                let violations = violations.into_iter().map(|violation| (violation.field, violation.description));
                let failure = Self::new(Reason::InvalidField, text::line(&message)).with("violation_count", count);
                Self { violations: violations.collect(), ..failure }
            }
            Invalid::Duplicate { id, first, second, fields } => {
                let [one, other] = fields;
                let message = format!("{id} stands twice: {one} and {other}");
                let violations =
                    vec![(one.clone(), format!("is the same as {other}")), (other, format!("is the same as {one}"))];
                let failure = Self::new(Reason::DuplicateItem, message);
                let failure = failure.with("id", id).with("first_index", first).with("second_index", second);
                Self { violations, ..failure }
            }
        }
    }
}

impl From<Mismatch> for Failure {
    fn from(mismatch: Mismatch) -> Self {
        Self::incident(&mismatch)
    }
}

impl From<&ledger::Error> for Failure {
    fn from(error: &ledger::Error) -> Self {
        use ledger::Error as E;
        match error {
            E::Refused(Refused::Whole(refusal)) => refusal.into(),
            E::Refused(Refused::Items(items)) => match items.first() {
                // Only where the request has a single item: the others go through `refused`.
                Some((_, refusal)) => refusal.into(),
                None => Self::incident(error),
            },
            E::RequestIdReused { request, method } => {
                let message = format!("request id {request} was used before, for another request of {method}");
                Self::new(Reason::RequestIdReused, message).with("request_id", request).with("method", method)
            }
            E::LeadNotFound(lead) => refused::lead_not_found(lead),
            E::MemberNotFound(member) => refused::member_not_found(member),
            E::PageToken => Self::new(Reason::PageTokenInvalid, "the page token was not made for this request"),
            E::TooOld { requested, floor, head } => {
                let message = format!("{} lies before the oldest history that is kept", position(requested));
                Self::new(Reason::PositionTooOld, message).with("requested", position(requested)).range(*floor, *head)
            }
            E::InFuture { requested, floor, head } => {
                let message =
                    format!("{} has not happened yet; the account is at revision {head}", position(requested));
                Self::new(Reason::PositionInFuture, message).with("requested", position(requested)).range(*floor, *head)
            }
            E::HistoryMismatch { history, floor, head } => {
                Self::new(Reason::HistoryMismatch, "the position belongs to another history: the database was replaced")
                    .with("history_id", history)
                    .range(*floor, *head)
            }
            E::Busy { depth } => {
                let message = "too many writes of the account are waiting";
                let failure = Self::new(Reason::AccountBusy, message).with("queue_depth", depth);
                Self { retry: Some(BUSY_DELAY), ..failure }
            }
            E::TooLarge { needed, budget } => {
                Self::new(Reason::AccountTooLarge, "the account needs more memory than the service may use")
                    .with("needed_bytes", needed)
                    .with("budget_bytes", budget)
            }
            E::Deadline => Self::deadline(),
            E::Draining => draining(None),
            E::OutcomeUnknown { request } => outcome_unknown(*request),
            E::Store(cause) => of_store(cause, error),
        }
    }
}

impl Failure {
    fn range(self, floor: Revision, head: Revision) -> Self {
        self.with("floor_revision", floor).with("head_revision", head)
    }
}

fn of_store(cause: &store::Error, error: &ledger::Error) -> Failure {
    match cause {
        store::Error::Unavailable(_) | store::Error::Conflict(_) | store::Error::TimedOut => {
            tracing::debug!(error = cause as &dyn StdError, "the database was not available to a call");
            Failure::unavailable()
        }
        store::Error::CommitUnknown(_) => outcome_unknown(None),
        store::Error::Unreadable { .. }
        | store::Error::InUse { .. }
        | store::Error::Lock { .. }
        | store::Error::UnsupportedUrl
        | store::Error::Defect(_) => Failure::incident(error),
    }
}

fn outcome_unknown(request: Option<Uuid>) -> Failure {
    let message =
        "the database was lost while it committed: repeat the call under the same request id to learn the outcome";
    Failure::new(Reason::OutcomeUnknown, message).with_some("request_id", request)
}

/// The replica shuts down. A watch resumes after `revision`.
pub(super) fn draining(revision: Option<Revision>) -> Failure {
    let failure = Failure::new(Reason::Draining, "this replica is shutting down; another one answers");
    Failure { retry: Some(DRAINING_DELAY), ..failure.with_some("revision", revision) }
}

/// One message of a watch could not be handed over for too long. It resumes after `revision`.
pub(super) fn too_slow(revision: Revision, blocked: Duration) -> Failure {
    Failure::new(Reason::WatchTooSlow, format!("the reader took nothing for {} s", blocked.as_secs()))
        .with("revision", revision)
        .with("blocked_seconds", blocked.as_secs())
}

impl From<watch::Error> for Failure {
    fn from(error: watch::Error) -> Self {
        match error {
            watch::Error::Ledger(error) => (&error).into(),
            watch::Error::Limit(watch::Limit { limit, scope }) => {
                let message = format!("this {scope} holds {limit} watches, and may hold no more");
                Self::new(Reason::WatchLimitReached, message).with("limit", limit).with("scope", scope)
            }
        }
    }
}

impl From<ledger::Error> for Status {
    fn from(error: ledger::Error) -> Self {
        Failure::from(&error).into()
    }
}

#[cfg(test)]
mod tests;
