//! The tail: keeps the accounts in memory up to date with what other replicas write.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::books::Books;
use super::resident::Resident;
use crate::domain::ids::{AccountId, Revision};
use crate::jitter::jittered;
use crate::store::{self, Store};

/// Accounts asked for in one statement.
const MAX_ACCOUNTS: usize = 1_000;
/// Accounts that are brought up to date at the same time, so that the pool keeps connections for callers.
const AT_ONCE: usize = 2;

/// Longest step. One connection that died without a word must not end following.
const MAX_STEP: Duration = Duration::from_secs(5);

/// When the database was last heard of.
#[derive(Debug, Clone)]
pub(super) struct Contact(Arc<Mutex<Instant>>);

impl Contact {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// For how long nothing was heard of it.
    pub(super) fn silence(&self) -> Duration {
        self.0.lock().elapsed()
    }

    fn made(&self) {
        *self.0.lock() = Instant::now();
    }
}

/// Follows the accounts in memory, and keeps them within their memory, for ever.
pub(super) async fn follow(books: Arc<Books>, store: Store, interval: Duration, contact: Contact) {
    let mut failing = false;
    loop {
        sleep(jittered(interval)).await;
        books.make_room();
        let step = timeout(MAX_STEP, bring_up_to_date(&books, &store)).await;
        match step.unwrap_or(Err(store::Error::TimedOut)) {
            Ok(()) => {
                contact.made();
                failing = false;
            }
            Err(error) if !failing => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot follow the log");
                failing = true;
            }
            Err(_) => {}
        }
    }
}

async fn bring_up_to_date(books: &Books, store: &Store) -> Result<(), store::Error> {
    if store.is_exclusive() {
        // Nobody else writes; what is asked is whether the database is there at all.
        return store.probe().await;
    }
    for residents in books.all().chunks(MAX_ACCOUNTS) {
        let ids: Vec<AccountId> = residents.iter().map(|resident| resident.id.clone()).collect();
        let heads = store::heads::revisions(store, &ids).await?;
        let mut behind = Vec::new();
        for resident in residents {
            match heads.get(&resident.id) {
                Some(head) if resident.revision() < *head => {
                    behind.push(catch_up(Arc::clone(resident), store.clone(), *head, books.budget()));
                }
                Some(_) | None => {}
            }
        }
        futures::stream::iter(behind).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }
    Ok(())
}

async fn catch_up(resident: Arc<Resident>, store: Store, head: Revision, budget: usize) {
    if let Err(error) = resident.catch_up(&store, head, budget).await {
        tracing::warn!(account = %resident.id, error = &error as &dyn std::error::Error, "cannot catch up with the log");
    }
}
