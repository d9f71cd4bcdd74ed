//! What is tried again, and when.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ownership_proto::v1::ErrorReason as Reason;
use tonic::Code;

use crate::Error;

/// How calls are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often a call is made at most, the first time included.
    pub attempts: u32,
    /// The longest pause before the first repetition. It doubles with each; the pause itself is chosen at random up to it.
    pub first_pause: Duration,
    /// The longest pause of all.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(50), longest_pause: Duration::from_secs(1) }
    }
}

/// Whether the same call may succeed a little later, and does no harm if it has succeeded already: reads, and writes with a request id.
pub(crate) fn is_passing(error: &Error) -> bool {
    match (error.code(), error.reason()) {
        // Other callers, or the operator, have to do something first, unless the service says when to come back.
        (Code::ResourceExhausted, _) => error.retry_after().is_some(),
        (Code::Unavailable, _) | (_, Some(Reason::OutcomeUnknown)) => true,
        // A connection that breaks under a call, or a proxy in between: nobody knows what became of it.
        (Code::Unknown | Code::Internal | Code::Cancelled, None) => error.reason_name().is_none(),
        // In particular ABORTED: what was read has to be read again before anybody can decide again.
        _ => false,
    }
}

/// Pauses that become longer, each at random, so that those who were cut off together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first.min(longest) }
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(fastrand::f64());
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    /// Begins with short pauses again, if what was begun after the last one has lasted for longer than any: so no more is missed of
    /// what comes and goes than is had.
    pub(crate) fn lasted(&mut self, lasted: Duration) {
        if lasted > self.longest {
            self.next = self.first.min(self.longest);
        }
    }
}

/// What repetitions may cost: where most calls fail, repeating them makes things worse. The rule is that of gRPC's retry throttling: a
/// failure costs one of so many tokens, a success brings a tenth of one back, and half of them must be there.
///
/// There are as many as gRPC allows. A replica that goes may turn away all calls of a connection at the same moment, which can be 128,
/// and again where they are sent next: that is no reason to give up.
#[derive(Debug)]
pub(crate) struct Budget {
    tenths: AtomicI64,
}

pub(crate) const FULL: i64 = 10_000;
pub(crate) const FAILURE: i64 = 10;
pub(crate) const SUCCESS: i64 = 1;

impl Budget {
    pub(crate) fn full() -> Self {
        Self { tenths: AtomicI64::new(FULL) }
    }

    /// A call was answered.
    pub(crate) fn succeeded(&self) {
        self.add(SUCCESS);
    }

    /// An attempt failed. Whether it may be repeated.
    pub(crate) fn failed(&self) -> bool {
        self.add(-FAILURE) > FULL / 2
    }

    fn add(&self, tenths: i64) -> i64 {
        let add = |before: i64| (before + tenths).clamp(0, FULL);
        let (Ok(before) | Err(before)) =
            self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| Some(add(before)));
        add(before)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::Status;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn refused(code: Code, reason: &str, retry_after: Option<Duration>) -> Error {
        let mut details = ErrorDetails::with_error_info(reason, "ownership.leadflip", HashMap::new());
        if retry_after.is_some() {
            details.set_retry_info(retry_after);
        }
        Status::with_error_details(code, "", details).into()
    }

    #[test]
    fn what_passes_by_itself_is_repeated_and_nothing_else() {
        let soon = Some(Duration::from_millis(200));
        assert!(is_passing(&refused(Code::Unavailable, "STORE_UNAVAILABLE", None)));
        assert!(is_passing(&refused(Code::Unavailable, "DRAINING", None)));
        assert!(is_passing(&refused(Code::Unknown, "OUTCOME_UNKNOWN", None)));
        assert!(is_passing(&refused(Code::ResourceExhausted, "ACCOUNT_BUSY", soon)));
        assert!(is_passing(&Status::unknown("broken pipe").into()));
        for (code, reason) in [
            (Code::Aborted, "REVISION_MISMATCH"),
            (Code::ResourceExhausted, "ACCOUNT_TOO_LARGE"),
            (Code::Internal, "INTERNAL"),
            (Code::Unknown, "SOMETHING_NEW"),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ] {
            assert!(!is_passing(&refused(code, reason, None)), "{reason}");
        }
    }

    #[test]
    fn pauses_become_longer_up_to_a_limit_and_short_again_after_what_lasted() {
        let (first, longest) = (Duration::from_millis(50), Duration::from_millis(150));
        let mut backoff = Backoff::new(first, longest);
        for limit in [first, first * 2, longest, longest] {
            assert!(backoff.pause() <= limit);
        }
        assert_eq!(backoff.next, longest);
        backoff.lasted(longest);
        assert_eq!(backoff.next, longest, "it did not last");
        backoff.lasted(longest + first);
        assert_eq!(backoff.next, first);
    }

    #[test]
    fn nothing_is_repeated_while_most_calls_fail() {
        let budget = Budget::full();
        assert_eq!((0..1_000).filter(|_| budget.failed()).count(), 499);
        (0..5_000).for_each(|_| budget.succeeded());
        assert!(!budget.failed());
        (0..30).for_each(|_| budget.succeeded());
        assert!(budget.failed());
    }
}
