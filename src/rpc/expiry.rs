//! When a stream has to end because its caller would have to prove anew who it is.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::domain::caller::Caller;
use crate::domain::time::Timestamp;

/// The moment at which an identity ends, if it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expiry(Option<Instant>);

impl Expiry {
    pub(super) fn of(caller: &Caller, now: Timestamp) -> Self {
        let left =
            caller.expires.map(|expires| Duration::from_micros(expires.0.saturating_sub(now.0).max(0).unsigned_abs()));
        // What is so far away that it cannot be told never comes.
        Self(left.and_then(|left| Instant::now().checked_add(left)))
    }

    /// Completes at that moment.
    pub(super) async fn passed(self) {
        match self.0 {
            Some(moment) => sleep_until(moment).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn left(expires: Option<i64>) -> Option<Duration> {
        let caller = Caller { expires: expires.map(Timestamp), ..Caller::anonymous().unwrap() };
        let began = Instant::now();
        let passed = Expiry::of(&caller, Timestamp(5_000_000)).passed();
        tokio::time::timeout(Duration::from_secs(3600), passed).await.ok().map(|()| began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_identity_ends_when_its_time_has_come() {
        assert_eq!(left(Some(7_000_000)).await.map(|left| left.as_secs()), Some(2));
        assert_eq!(left(Some(4_000_000)).await.map(|left| left.as_secs()), Some(0));
        assert_eq!(left(Some(i64::MAX)).await, None);
        assert_eq!(left(None).await, None);
    }
}
