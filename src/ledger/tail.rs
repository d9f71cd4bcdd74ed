//! The tail: keeps the accounts in memory up to date with what other replicas write.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::books::Books;
use super::resident::Resident;
use crate::domain::fact::Tip;
use crate::domain::ids::AccountId;
use crate::jitter::jittered;
use crate::store::{self, Store};

/// Accounts asked for in one statement.
const MAX_ACCOUNTS: usize = 1_000;
/// Accounts that are brought up to date at the same time, so that the pool keeps connections for callers.
const AT_ONCE: usize = 2;
/// Longest step. One connection that died without a word must not end following.
const MAX_STEP: Duration = Duration::from_secs(5);
/// Rest after accounts were looked at because somebody asked for it: however often that is, the database is asked seldom enough.
const REST: Duration = Duration::from_millis(5);

/// When the database was last heard of.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    last: Arc<Mutex<Instant>>,
    /// How often it is asked.
    interval: Duration,
}

impl Contact {
    pub(super) fn now(interval: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), interval }
    }

    /// For how long nothing was heard of it although it was asked.
    pub(super) fn silence(&self) -> Duration {
        self.last.lock().elapsed().saturating_sub(self.interval)
    }

    fn made(&self) {
        *self.last.lock() = Instant::now();
    }
}

/// Accounts that are to be looked at before it is time to. No more than are in memory.
#[derive(Debug, Default)]
pub(super) struct Woken {
    accounts: Mutex<HashSet<AccountId>>,
    more: Notify,
}

impl Woken {
    /// Has an account in memory looked at.
    pub(super) fn add(&self, account: AccountId) {
        self.accounts.lock().insert(account);
        self.more.notify_one();
    }

    /// Those to be looked at, once there are some.
    async fn next(&self, books: &Books) -> Vec<Arc<Resident>> {
        loop {
            let accounts = std::mem::take(&mut *self.accounts.lock());
            let residents: Vec<_> = accounts.iter().filter_map(|account| books.peek(account)).collect();
            if !residents.is_empty() {
                return residents;
            }
            self.more.notified().await;
        }
    }
}

/// Follows the accounts in memory, and keeps them within their memory, for ever. All of them are looked at when it is time to,
/// however many are asked for in between.
pub(super) async fn follow(books: Arc<Books>, store: Store, woken: Arc<Woken>, contact: Contact) {
    let mut failing = false;
    let mut due = Instant::now() + jittered(contact.interval);
    loop {
        let (residents, rest) = tokio::select! {
            biased;
            () = sleep_until(due) => {
                due = Instant::now() + jittered(contact.interval);
                books.make_room();
                (books.all(), Duration::ZERO)
            }
            residents = woken.next(&books) => (residents, REST),
        };
        let step = timeout(MAX_STEP, bring_up_to_date(&residents, &store, books.budget())).await;
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
        sleep(rest).await;
    }
}

async fn bring_up_to_date(residents: &[Arc<Resident>], store: &Store, budget: usize) -> Result<(), store::Error> {
    if residents.is_empty() {
        // What is asked is whether the database is there at all.
        return store.probe().await;
    }
    // On SQLite too, where nobody else writes: of a commit that hung it may not be known that it happened after all.
    for residents in residents.chunks(MAX_ACCOUNTS) {
        let ids: Vec<AccountId> = residents.iter().map(|resident| resident.id.clone()).collect();
        let known: Vec<Tip> = residents.iter().map(|resident| resident.tip()).collect();
        let heads = store::heads::tips(store, &ids).await?;
        let moved = residents.iter().zip(known).filter_map(|(resident, known)| {
            let head = heads.get(&resident.id).copied().unwrap_or_default();
            (head != known).then(|| catch_up(Arc::clone(resident), store.clone(), (known, head), budget))
        });
        futures::stream::iter(moved.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }
    Ok(())
}

async fn catch_up(resident: Arc<Resident>, store: Store, (known, head): (Tip, Tip), budget: usize) {
    if let Err(error) = resident.catch_up(&store, (known, head), budget).await {
        tracing::warn!(account = %resident.id, error = &error as &dyn std::error::Error, "cannot catch up with the log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_begins_when_the_database_should_have_been_asked_again() {
        let contact = Contact::now(Duration::from_secs(60));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(contact.silence(), Duration::ZERO);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(contact.silence(), Duration::from_secs(3));
        contact.made();
        assert_eq!(contact.silence(), Duration::ZERO);
    }
}
