//! What waits to be published, told to those who run the service.

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

/// What keeps changes from being published. The same is not logged again and again.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<Told>>);

#[derive(Debug)]
struct Told {
    kind: &'static str,
    at: Instant,
    /// When it last happened, told or not.
    seen: Instant,
}

impl Trouble {
    /// Something of this kind went wrong, and is tried again.
    pub(super) fn tell(&self, kind: &'static str, error: &(dyn std::error::Error + 'static)) {
        let (mut told, now) = (self.0.lock(), Instant::now());
        if let Some(told) = told.as_mut().filter(|told| told.kind == kind && told.at.elapsed() < REPEAT_LOG) {
            told.seen = now;
            return;
        }
        tracing::warn!(kind, error, "changes are not published, and wait");
        *told = Some(Told { kind, at: now, seen: now });
    }

    /// Something was published. If that goes well for a while, it is over.
    pub(super) fn less(&self) {
        let mut told = self.0.lock();
        if told.as_ref().is_some_and(|told| told.seen.elapsed() > OVER_AFTER) {
            *told = None;
            tracing::info!("changes are published again");
        }
    }
}
