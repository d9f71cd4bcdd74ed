//! What was published is taken out of the outbox: for many accounts together, a moment later. If that does not happen, somebody
//! looks at them once more and finds nothing to publish.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::domain::ids::AccountId;
use crate::store::outbox::Published;
use crate::store::{self, Store};

/// How long what was published waits for others.
const PAUSE: Duration = Duration::from_millis(100);
/// For how long it is sure to be in the stream.
const FRESH: Duration = Duration::from_secs(1);
/// Accounts taken out in one transaction: whoever writes to one of them waits for it.
const AT_ONCE: usize = 200;

/// What was published and is still in the outbox.
#[derive(Debug)]
pub(super) struct Settlement {
    store: Store,
    published: Mutex<BTreeMap<AccountId, (Instant, Published)>>,
}

impl Settlement {
    /// Nothing yet.
    pub(super) fn new(store: Store) -> Self {
        Self { store, published: Mutex::default() }
    }

    /// Everything up to a revision of an account is published.
    pub(super) fn add(&self, published: Published) {
        self.published.lock().insert(published.account.clone(), (Instant::now(), published));
    }

    /// Forgets what there is: it has to be looked at once more.
    pub(super) fn clear(&self) {
        self.published.lock().clear();
    }

    /// Takes it out, again and again, for ever.
    pub(super) async fn settle_always(&self) {
        loop {
            sleep(PAUSE).await;
            self.settle().await;
        }
    }

    /// Takes out what there is. In the order of the ids, as everybody does: nobody waits for somebody who waits.
    ///
    /// Not what was published longer ago, which comes about only where this process was stopped: who knows whether the broker was
    /// put back to an older copy meanwhile, and others have looked for what is lost already.
    pub(super) async fn settle(&self) {
        let published = std::mem::take(&mut *self.published.lock());
        let fresh = published.into_values().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, published)| published);
        let published: Vec<_> = fresh.collect();
        for some in published.chunks(AT_ONCE) {
            // What hangs is not noted later either.
            let settled = timeout(FRESH, settle(&self.store, some)).await;
            if let Err(error) = settled.unwrap_or(Err(store::Error::TimedOut)) {
                tracing::debug!(error = &error as &dyn std::error::Error, "what was published stays in the outbox");
            }
        }
    }
}

async fn settle(store: &Store, published: &[Published]) -> Result<(), store::Error> {
    let tx = store.begin("settle").await?;
    store::outbox::settle(&tx, published).await?;
    tx.commit().await
}
