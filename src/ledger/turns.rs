//! Turns: how many transactions write at the same time, over all accounts.
//!
//! Every account has a door of its own, but they all write to one database. Where each wrote as soon as it could, many small
//! transactions would compete for the connections; where they take turns, what arrives meanwhile shares the next one, and reads
//! always find a connection. Turns are given in the order they are asked for, and an account has one visit at a time: one with a
//! long queue stands behind all others again after each of its batches.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a batch keeps others waiting. It may be stuck, behind a lock that another replica holds for example; then those who
/// are not must get by.
const PATIENCE: Duration = Duration::from_secs(1);
/// Connections that are never written on.
const FOR_READERS: usize = 2;

/// Hands out the turns.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    ready: Arc<Semaphore>,
    writers: usize,
    /// Places for those who took so long that they had to let others by. When these are taken too, everybody waits: whatever it
    /// is that hangs, it is not to take every connection.
    late: Arc<Semaphore>,
}

/// The right to carry out a batch.
#[derive(Debug)]
pub(super) struct Turn {
    place: OwnedSemaphorePermit,
    late: Arc<Semaphore>,
}

impl Turns {
    /// So many at once, over so many connections.
    pub(super) fn new(writers: usize, connections: usize) -> Self {
        let late = connections.saturating_sub(writers + FOR_READERS);
        Self { ready: Arc::new(Semaphore::new(writers)), writers, late: Arc::new(Semaphore::new(late)) }
    }

    /// Whether somebody has one.
    pub(super) fn are_taken(&self) -> bool {
        self.ready.available_permits() < self.writers
    }

    /// Waits for a turn, behind everybody who waits already.
    pub(super) async fn take(&self) -> Turn {
        let place = Arc::clone(&self.ready).acquire_owned().await;
        // A semaphore that nobody closes hands out its permits.
        let place = place.unwrap_or_else(|_| unreachable!("turns are never closed"));
        Turn { place, late: Arc::clone(&self.late) }
    }
}

impl Turn {
    /// Carries something out, and lets others by if it takes too long.
    pub(super) async fn spend<T>(self, work: impl Future<Output = T>) -> T {
        let Self { place, late } = self;
        tokio::pin!(work);
        if let Ok(done) = timeout(PATIENCE, &mut work).await {
            return done;
        }
        tokio::select! {
            biased;
            done = &mut work => done,
            _late = late.acquire() => {
                drop(place);
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_given_in_the_order_they_are_asked_for() {
        let turns = Turns::new(1, 10);
        let first = turns.take().await;
        let (mut second, mut third) = (Box::pin(turns.take()), Box::pin(turns.take()));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        assert!(turns.are_taken());
        drop(first);
        assert!((&mut third).now_or_never().is_none(), "not before the second");
        let second = (&mut second).now_or_never();
        assert!(second.is_some());
        // Whoever comes back stands behind all others.
        let mut again = Box::pin(turns.take());
        assert!((&mut again).now_or_never().is_none());
        drop(second);
        assert!((&mut again).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_some());
        drop(again);
        assert!(!turns.are_taken());
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_lets_others_by_and_yet_leaves_connections() {
        let turns = Turns::new(1, 1 + 2 + FOR_READERS);
        let began = Instant::now();
        for _ in 0..2 {
            let turn = turns.take().await;
            #[expect(clippy::disallowed_methods, reason = "a test owns its tasks")]
            tokio::spawn(turn.spend(pending::<()>()));
        }
        let third = turns.take().await;
        assert_eq!(began.elapsed().as_secs(), 2 * PATIENCE.as_secs());
        #[expect(clippy::disallowed_methods, reason = "a test owns its tasks")]
        tokio::spawn(third.spend(pending::<()>()));
        assert!(timeout(10 * PATIENCE, turns.take()).await.is_err(), "three hang, and two connections are left");
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_late_and_ends_makes_room_for_the_next_who_is() {
        let turns = Turns::new(1, 1 + 1 + FOR_READERS);
        for _ in 0..5 {
            let turn = turns.take().await;
            #[expect(clippy::disallowed_methods, reason = "a test owns its tasks")]
            tokio::spawn(turn.spend(sleep(3 * PATIENCE)));
        }
        assert!(timeout(20 * PATIENCE, turns.take()).await.is_ok());
    }
}
