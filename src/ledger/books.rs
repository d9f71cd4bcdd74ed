//! Which accounts are in memory: loaded on first use, dropped when others need the room.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::door::Door;
use super::resident::{self, LoadError, Resident};
use super::writer::Writer;
use super::{Error, Options};
use crate::domain::book::query::{LeadFilter, OwnerSelector};
use crate::domain::ids::AccountId;
use crate::metrics;
use crate::store::Store;

/// An account in memory, with the door that all its changes go through. While somebody holds it, it stays.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) resident: Arc<Resident>,
    pub(super) door: Door,
    /// When somebody last asked for it, in milliseconds of the clock of all books.
    used: AtomicU64,
}

/// A place for an account. Those who want it while it is loaded wait for the same load.
type Place = OnceCell<Arc<Account>>;

/// The accounts in memory.
#[derive(Debug)]
pub(super) struct Books {
    store: Store,
    options: Options,
    writer: Arc<Writer>,
    places: Mutex<HashMap<AccountId, Arc<Place>>>,
    clock: Instant,
}

impl Books {
    pub(super) fn new(store: Store, options: Options, writer: Arc<Writer>) -> Self {
        Self { store, options, writer, places: Mutex::default(), clock: Instant::now() }
    }

    /// The account, loaded if need be.
    pub(super) async fn get(&self, id: &AccountId) -> Result<Arc<Account>, Error> {
        let place = self.place(id);
        let mut loaded = false;
        let account = place
            .get_or_try_init(|| async {
                loaded = true;
                self.load(id).await.map(Arc::new)
            })
            .await;
        let account = match account {
            Ok(account) => Arc::clone(account),
            Err(error) => {
                self.give_up(id, place);
                return Err(error.into());
            }
        };
        account.used.store(self.now(), Ordering::Relaxed);
        if loaded {
            self.make_room();
        }
        self.admit(&account)?;
        Ok(account)
    }

    fn place(&self, id: &AccountId) -> Arc<Place> {
        Arc::clone(self.places.lock().entry(id.clone()).or_default())
    }

    /// The account, if it is in memory. Asking does not keep it there.
    pub(super) fn peek(&self, id: &AccountId) -> Option<Arc<Resident>> {
        let places = self.places.lock();
        places.get(id)?.get().map(|account| Arc::clone(&account.resident))
    }

    /// Whether anything is being written to any of them.
    pub(super) fn are_written(&self) -> bool {
        self.writer.is_busy()
    }

    /// Bytes of memory for all of them.
    pub(super) fn budget(&self) -> usize {
        self.options.memory_budget_bytes
    }

    /// The accounts in memory.
    pub(super) fn all(&self) -> Vec<Arc<Resident>> {
        let places = self.places.lock();
        places.values().filter_map(|place| place.get()).map(|account| Arc::clone(&account.resident)).collect()
    }

    /// Drops the accounts that nobody has used for long, and those that were not used for the longest time until the others fit
    /// the budget. Accounts in use stay.
    pub(super) fn make_room(&self) {
        let long_ago = self.now().saturating_sub(millis(self.options.idle_after));
        let mut places = self.places.lock();
        let accounts = places.values().filter_map(|place| place.get());
        let mut bytes = accounts.map(|account| account.resident.measure_again()).sum();
        let mut idle = idle(&places);
        idle.sort_unstable_by_key(|(used, ..)| *used);
        for (used, id, size) in idle {
            if bytes <= self.options.memory_budget_bytes && used > long_ago {
                break;
            }
            tracing::debug!(account = %id, bytes = size, "an account is dropped from memory");
            places.remove(&id);
            metrics::get().book_evicted();
            bytes -= size;
        }
        metrics::get().books(places.len(), bytes, self.options.memory_budget_bytes);
    }

    fn now(&self) -> u64 {
        millis(self.clock.elapsed())
    }

    async fn load(&self, id: &AccountId) -> Result<Account, LoadError> {
        let began = Instant::now();
        let loaded = Resident::load(&self.store, id.clone(), self.options.memory_budget_bytes).await;
        if let Err(error @ LoadError::TooLarge { .. }) = &loaded {
            tracing::warn!(account = %id, %error, "an account is refused");
        }
        let resident = Arc::new(loaded?);
        metrics::get().book_loaded(began.elapsed());
        let leads = || resident.read(|book| book.total(&OwnerSelector::Any, &LeadFilter::default()));
        tracing::debug!(account = %id, leads = leads(), bytes = resident.bytes(), "an account was loaded");
        let door = Door::new(Arc::clone(&resident), &self.writer, self.options.queue_depth);
        Ok(Account { resident, door, used: AtomicU64::new(0) })
    }

    /// Refuses an account that has outgrown the budget since it was loaded.
    fn admit(&self, account: &Account) -> Result<(), Error> {
        Ok(resident::fits(account.resident.bytes(), self.options.memory_budget_bytes)?)
    }

    /// Takes back the place of an account that could not be loaded, unless somebody else waits for it.
    fn give_up(&self, id: &AccountId, place: Arc<Place>) {
        let mut places = self.places.lock();
        drop(place);
        if places.get(id).is_some_and(|place| place.get().is_none() && Arc::strong_count(place) == 1) {
            places.remove(id);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The accounts that nobody holds: when they were used, and their size.
fn idle(places: &HashMap<AccountId, Arc<Place>>) -> Vec<(u64, AccountId, usize)> {
    let idle = places.iter().filter(|(_, place)| Arc::strong_count(place) == 1).filter_map(|(id, place)| {
        let account = place.get().filter(|account| Arc::strong_count(account) == 1 && account.door.is_idle())?;
        Some((account.used.load(Ordering::Relaxed), id.clone(), account.resident.bytes()))
    });
    idle.collect()
}
