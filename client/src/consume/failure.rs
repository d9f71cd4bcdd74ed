//! Why an event was not taken in, and how often that has happened.

use std::collections::HashMap;
use std::time::Duration;

use ownership_proto::v1::ErrorReason as Reason;
use tokio::time::Instant;
use tonic::Code;

use super::event::Fault;
use crate::retry::is_passing;
use crate::{BoxError, Error};

/// What has not failed again after so long has been finished by another instance. Far longer than any pause, and any wait in a lane.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// Why an event was not taken in.
#[derive(Debug)]
pub(super) enum Failure {
    /// It never can be.
    Fault(Fault),
    /// It is a fragment that has come again, and nothing else has what the rest of its revision says.
    Incomplete {
        /// Which one.
        fragment: i32,
    },
    /// The handler did not get it done.
    Handler(BoxError),
    /// The service refuses what its account needs.
    Refused(Error),
    /// The service, or what the handler keeps its tables in, was not to be had. Has nothing to do with the event.
    Away(BoxError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if concerns_all_accounts(&error) { Self::Away(error.into()) } else { Self::Refused(error) }
    }
}

/// Whether the answer would be the same for any account: the service is away, or does not let the caller in, or it is not the service
/// that answers.
fn concerns_all_accounts(error: &Error) -> bool {
    let of_the_caller = [Reason::CallerUnknown, Reason::MethodNotAllowed, Reason::MethodUnknown];
    error.reason_name().is_none()
        || is_passing(error)
        || matches!(error.code(), Code::Unauthenticated | Code::DeadlineExceeded)
        || error.reason().is_some_and(|reason| of_the_caller.contains(&reason))
}

/// How often events were tried in vain, by their numbers in the stream.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<u64, (u32, Instant)>);

impl Attempts {
    /// Counts one more; says how many there were.
    pub(super) fn count(&mut self, sequence: u64) -> u32 {
        let now = Instant::now();
        self.0.retain(|_, (_, last)| now - *last < FORGOTTEN);
        let (attempts, last) = self.0.entry(sequence).or_insert((0, now));
        *last = now;
        *attempts += 1;
        *attempts
    }

    /// It is done with.
    pub(super) fn forget(&mut self, sequence: u64) {
        self.0.remove(&sequence);
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn answer(code: Code, reason: &str) -> Error {
        let details = ErrorDetails::with_error_info(reason, "ownership.leadflip", HashMap::new());
        Status::with_error_details(code, "", details).into()
    }

    #[test]
    fn only_what_the_service_refuses_to_an_account_is_counted() {
        for (code, reason) in [
            (Code::PermissionDenied, "ACCOUNT_NOT_ALLOWED"),
            (Code::ResourceExhausted, "ACCOUNT_TOO_LARGE"),
            (Code::Internal, "INTERNAL"),
            (Code::OutOfRange, "POSITION_IN_FUTURE"),
            (Code::Unknown, "SOMETHING_NEW"),
        ] {
            assert!(matches!(answer(code, reason).into(), Failure::Refused(_)), "{reason}");
        }
        for (code, reason) in [
            (Code::Unavailable, "STORE_UNAVAILABLE"),
            (Code::Unauthenticated, "IDENTITY_EXPIRED"),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            (Code::PermissionDenied, "CALLER_UNKNOWN"),
            (Code::PermissionDenied, "METHOD_NOT_ALLOWED"),
            (Code::Unimplemented, "METHOD_UNKNOWN"),
        ] {
            assert!(matches!(answer(code, reason).into(), Failure::Away(_)), "{reason}");
        }
        for status in [Status::deadline_exceeded(""), Status::permission_denied("by a proxy"), Status::unavailable("")]
        {
            assert!(matches!(Error::from(status).into(), Failure::Away(_)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_instance_has_finished_is_forgotten() {
        let mut attempts = Attempts::default();
        assert_eq!([attempts.count(7), attempts.count(7)], [1, 2]);
        tokio::time::advance(FORGOTTEN / 2).await;
        assert_eq!([attempts.count(7), attempts.count(8)], [3, 1]);
        tokio::time::advance(FORGOTTEN / 2).await;
        assert_eq!(attempts.count(8), 2);
        attempts.forget(8);
        tokio::time::advance(FORGOTTEN / 2).await;
        assert_eq!((attempts.count(8), attempts.0.len()), (1, 1));
    }
}
