//! The end of all watches of a replica: one after the other, so that they do not all come to the next one at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Time between two of them, at most.
const PACE: Duration = Duration::from_millis(10);

/// Tells watches when to go. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Departure(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    begun: CancellationToken,
    pace: OnceLock<Duration>,
    gone: AtomicU32,
}

impl Departure {
    /// Sends so many away, the last of them within a time.
    pub(super) fn begin(&self, watches: usize, within: Duration) {
        let watches = u32::try_from(watches).unwrap_or(u32::MAX).max(1);
        // What was begun first counts.
        let _ = self.0.pace.set(PACE.min(within / watches));
        self.0.begun.cancel();
    }

    /// Whether they are sent away.
    pub(super) fn has_begun(&self) -> bool {
        self.0.begun.is_cancelled()
    }

    /// Completes when it is the turn of whoever waits for it.
    pub(super) async fn turn(self) {
        self.0.begun.cancelled().await;
        let before = self.0.gone.fetch_add(1, Ordering::Relaxed);
        let pace = self.0.pace.get().copied().unwrap_or_default();
        // Elsewhere: every watch has a future like this one, and nearly all of them wait above.
        Box::pin(sleep(pace * before)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::time::Instant;

    use super::*;

    /// When each of some watches goes.
    async fn departures(watches: usize, within: Duration) -> Vec<Duration> {
        let (departure, began) = (Departure::default(), Instant::now());
        let turns: Vec<_> = (0..watches).map(|_| departure.clone().turn()).collect();
        let turns = turns.into_iter().map(|turn| async move {
            turn.await;
            began.elapsed()
        });
        departure.begin(watches, within);
        join_all(turns).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_go_soon_and_many_within_the_time_there_is() {
        let few = departures(3, Duration::from_secs(10)).await;
        assert_eq!(few, [0, 10, 20].map(Duration::from_millis));
        let many = departures(10_000, Duration::from_secs(10)).await;
        assert!(many.last().is_some_and(|last| *last <= Duration::from_secs(10)), "{:?}", many.last());
        let soon = many.iter().filter(|turn| **turn < Duration::from_secs(1)).count();
        assert!((900..=1_100).contains(&soon), "{soon} of 10,000 in the first of ten seconds");
    }
}
