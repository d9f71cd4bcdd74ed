//! Why a call did not succeed.

use std::collections::HashMap;
use std::time::Duration;

use ownership_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The domain of the service's own errors.
const DOMAIN: &str = "ownership.leadflip";

/// Why a call did not succeed: what the service, or the way to it, answered. Decide on [`Error::reason`]; texts are for people.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}{}", .0.reason.as_ref().map(|reason| format!("{reason}: ")).unwrap_or_default(), text(&.0.status))]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: Status,
    reason: Option<String>,
    metadata: HashMap<String, String>,
    fields: Vec<(String, String)>,
    retry_after: Option<Duration>,
    attempts: u32,
}

impl Error {
    pub(crate) fn new(status: Status, attempts: u32) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let fields = details.bad_request().into_iter().flat_map(|bad| &bad.field_violations);
        Self(Box::new(Inner {
            reason: info.map(|info| info.reason.clone()),
            metadata: info.map(|info| info.metadata.clone()).unwrap_or_default(),
            fields: fields.map(|field| (field.field.clone(), field.description.clone())).collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            status,
            attempts,
        }))
    }

    /// Why the service refused. `None` when the answer is not the service's own, or names a reason that this crate is too old to know.
    pub fn reason(&self) -> Option<ErrorReason> {
        ErrorReason::from_str_name(&format!("ERROR_REASON_{}", self.reason_name()?))
    }

    /// The name of the reason, as the service gave it. `None` when the answer is not the service's own.
    pub fn reason_name(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What belongs to the reason; `errors.proto` lists it.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.metadata.get(key).map(String::as_str)
    }

    /// The fields that were refused, by path, with what is wrong.
    pub fn fields(&self) -> &[(String, String)] {
        &self.0.fields
    }

    /// When the service asks to come back.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How often the call was made.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.status.code()
    }

    /// The whole answer.
    pub fn status(&self) -> &Status {
        &self.0.status
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::new(status, 1)
    }
}

/// The message, or what the transport hides behind one that says nothing.
fn text(status: &Status) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(status);
    let mut innermost = None;
    while let Some(next) = cause {
        innermost = Some(next);
        cause = next.source();
    }
    match innermost {
        Some(innermost) => format!("{}: {innermost}", status.message()),
        None => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn refused(domain: &str, reason: &str) -> Error {
        let metadata = HashMap::from([("lead_id".to_owned(), "L1".to_owned())]);
        let details = ErrorDetails::with_error_info(reason, domain, metadata);
        Error::from(Status::with_error_details(Code::NotFound, "no such lead", details))
    }

    #[test]
    fn a_refusal_of_the_service_has_its_reason_and_what_belongs_to_it() {
        let error = refused(DOMAIN, "LEAD_NOT_FOUND");
        assert_eq!((error.reason(), error.metadata("lead_id")), (Some(ErrorReason::LeadNotFound), Some("L1")));
        assert_eq!(error.to_string(), "LEAD_NOT_FOUND: no such lead");
    }

    #[test]
    fn reasons_of_others_and_of_a_later_version_are_not_taken_for_known_ones() {
        assert_eq!(refused("elsewhere", "LEAD_NOT_FOUND").reason_name(), None);
        let later = refused(DOMAIN, "SOMETHING_NEW");
        assert_eq!((later.reason(), later.reason_name()), (None, Some("SOMETHING_NEW")));
    }
}
