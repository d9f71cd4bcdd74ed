//! What waits to be published, told to those who run the service.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::metrics;
use crate::store::{self, Store};

/// How often it is measured.
const INTERVAL: Duration = Duration::from_secs(10);
/// How often the same trouble is logged, and for how long nothing may go wrong until it is over.
const REPEAT_LOG: Duration = Duration::from_secs(60);
const OVER_AFTER: Duration = Duration::from_secs(5);

/// Measures how much waits, for ever, whether there is a broker or not.
pub(super) async fn measure_always(store: &Store) {
    loop {
        if let Ok(backlog) = store::outbox::backlog(store).await {
            let age = Duration::from_micros(u64::try_from(backlog.age).unwrap_or_default());
            metrics::get().outbox(u64::try_from(backlog.accounts).unwrap_or_default(), age);
        }
        sleep(INTERVAL).await;
    }
}

/// What keeps changes from being published, by its kind. The same is not logged again and again.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<HashMap<&'static str, Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    /// When it last happened, told or not.
    seen: Instant,
}

impl Trouble {
    /// Something of this kind went wrong, and is tried again.
    pub(super) fn tell(&self, kind: &'static str, error: &(dyn std::error::Error + 'static)) {
        if self.is_news(kind) {
            tracing::warn!(kind, error, "changes are not published, and wait");
        }
    }

    fn is_news(&self, kind: &'static str) -> bool {
        let (mut all, now) = (self.0.lock(), Instant::now());
        match all.get_mut(kind) {
            Some(told) if now - told.at < REPEAT_LOG => {
                told.seen = now;
                false
            }
            _ => {
                all.insert(kind, Told { at: now, seen: now });
                true
            }
        }
    }

    /// Something was published. If that goes well for a while, it is over.
    pub(super) fn less(&self) {
        if self.is_over() {
            tracing::info!("changes are published again");
        }
    }

    fn is_over(&self) -> bool {
        let mut all = self.0.lock();
        let over = !all.is_empty() && all.values().all(|told| told.seen.elapsed() > OVER_AFTER);
        if over {
            all.clear();
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_of_trouble_is_told_once_a_minute_while_it_lasts_whatever_others_come_between() {
        let trouble = Trouble::default();
        let told = async || {
            let mut told = 0;
            for _ in 0..60 {
                told += ["silent", "refused"].map(|kind| i32::from(trouble.is_news(kind))).iter().sum::<i32>();
                advance(Duration::from_secs(1)).await;
            }
            told
        };
        assert_eq!((told().await, told().await), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_once_nothing_has_gone_wrong_for_a_while() {
        let trouble = Trouble::default();
        assert!(!trouble.is_over(), "nothing was wrong");
        assert!(trouble.is_news("silent") && trouble.is_news("refused"));
        advance(OVER_AFTER).await;
        assert!(!trouble.is_news("refused") && !trouble.is_over(), "one of the two goes on");
        advance(OVER_AFTER * 2).await;
        assert!(trouble.is_over() && !trouble.is_over());
        assert!(trouble.is_news("silent"));
    }
}
