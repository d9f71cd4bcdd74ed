//! An account in memory: its book, kept up to date from the log, and the latest commits for those who watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use tokio::sync::watch;

use super::recent::Recent;
use super::recorded::Stretch;
use crate::domain::book::{Book, DoesNotFollow};
use crate::domain::fact::{Commit, Tip};
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::store::heads::Head;
use crate::store::{self, Readable, Store, Tx};

/// Facts read from the log at once.
const LOG_PAGE: u64 = 5_000;
/// Leads that are loaded between two looks at the budget.
const LEADS_UNTIL_CHECK: u32 = 10_000;
/// Facts that are applied before those who wait to read get their turn.
const FACTS_IN_A_ROW: usize = 64;
/// What an account takes before anything is known of it: its task, its queue, its place.
const FIXED_BYTES: usize = 16 * 1024;

/// An account in memory.
#[derive(Debug)]
pub(super) struct Resident {
    pub(super) id: AccountId,
    book: RwLock<Book>,
    /// Where the book stands: never behind what somebody has read in it.
    reached: AtomicI64,
    /// The same, told to those who follow once a batch is in the book.
    announced: watch::Sender<Revision>,
    recent: Mutex<Recent>,
    /// How often another log took the place of the one that the book was made of.
    epoch: AtomicU64,
    /// Held while the log is read into the book: one reader serves all who wait for it.
    catching_up: tokio::sync::Mutex<()>,
    bytes: AtomicUsize,
}

/// Why an account cannot be brought into memory, or up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It alone needs more memory than there is for all.
    #[error("the account needs {needed} bytes of memory, of {budget} for all")]
    TooLarge {
        /// What it needs, at least.
        needed: usize,
        /// What there is.
        budget: usize,
    },
}

impl From<LoadError> for super::Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => error.into(),
            LoadError::TooLarge { needed, budget } => Self::TooLarge { needed, budget },
        }
    }
}

impl Resident {
    /// Loads an account as of one moment. Refuses one that alone needs more than `budget` bytes.
    pub(super) async fn load(store: &Store, id: AccountId, budget: usize) -> Result<Self, LoadError> {
        let book = load_book(&store.snapshot("load_book").await?, &id, budget).await?;
        Ok(Self::with(id, book, budget))
    }

    /// An account whose book is there.
    pub(super) fn with(id: AccountId, book: Book, budget: usize) -> Self {
        Self {
            id,
            reached: AtomicI64::new(book.revision().0),
            announced: watch::Sender::new(book.revision()),
            bytes: AtomicUsize::new(FIXED_BYTES + book.bytes()),
            book: RwLock::new(book),
            recent: Mutex::new(Recent::within(budget)),
            epoch: AtomicU64::default(),
            catching_up: tokio::sync::Mutex::default(),
        }
    }

    /// Asks the book something. Everything in one call sees the same revision.
    pub(super) fn read<R>(&self, question: impl FnOnce(&Book) -> R) -> R {
        question(&self.book.read())
    }

    /// The revision of the book.
    pub(super) fn revision(&self) -> Revision {
        Revision(self.reached.load(Ordering::Acquire))
    }

    /// The commit that the book ends with.
    pub(super) fn tip(&self) -> Tip {
        self.read(Book::tip)
    }

    /// Another number once the database was put back: what was read here under the one before may be in no log any more.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Tells when the book moves on.
    pub(super) fn revisions(&self) -> watch::Receiver<Revision> {
        self.announced.subscribe()
    }

    /// Bytes of memory it took when it was last measured.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Measures it, unless somebody writes, who will. Questions make it larger too: an order of the leads is made when it is first
    /// asked for.
    pub(super) fn measure_again(&self) -> usize {
        if let Some(book) = self.book.try_read() {
            self.measure(&book);
        }
        self.bytes()
    }

    fn measure(&self, book: &Book) {
        self.bytes.store(FIXED_BYTES + book.bytes() + self.recent.lock().bytes(), Ordering::Relaxed);
    }

    /// The next commits after a revision, if all of them are still in memory.
    pub(super) fn recent_after(&self, after: Revision) -> Option<Arc<Stretch>> {
        self.recent.lock().after(after)
    }

    /// When a revision was made, if it is still in memory.
    pub(super) fn recent_made_at(&self, revision: Revision) -> Option<Timestamp> {
        self.recent.lock().made_at(revision)
    }

    /// Takes commits over into the book. Those it contains already are ignored. Readers need not wait for all of them: each is in
    /// the book as a whole or not at all, and between two of them whoever waits may read.
    pub(super) fn take_over(&self, commits: Vec<Commit>) -> Result<(), DoesNotFollow> {
        let mut book = self.book.write();
        let mut taken = Ok(());
        let mut in_a_row = 0;
        for commit in commits {
            if commit.revision <= book.revision() {
                continue;
            }
            if in_a_row >= FACTS_IN_A_ROW {
                in_a_row = 0;
                RwLockWriteGuard::bump(&mut book);
            }
            in_a_row += commit.facts.len().max(1);
            taken = book.apply(&commit);
            if taken.is_err() {
                break;
            }
            self.recent.lock().push(commit);
            self.reached.store(book.revision().0, Ordering::Release);
        }
        self.account_for(&book);
        taken
    }

    /// Brings the book to `head`, where the log ends. That was asked for after the book stood at what is `known`: unless the one can
    /// have become the other, the database was put back.
    pub(super) async fn catch_up(
        &self,
        store: &Store,
        (known, head): (Tip, Tip),
        budget: usize,
    ) -> Result<(), LoadError> {
        let put_back = !known.may_become(head);
        if !put_back && self.revision() >= head.revision {
            return Ok(());
        }
        let _alone = self.catching_up.lock().await;
        let followed = if put_back { Followed::Elsewhere } else { self.follow(store, head, None).await? };
        match followed {
            Followed::Reached => Ok(()),
            Followed::Trimmed => {
                let loaded = load_book(&store.snapshot("reload_book").await?, &self.id, budget).await?;
                self.replace(loaded, false);
                Ok(())
            }
            Followed::Elsewhere => {
                // Nobody may add to the log while a book that may be ahead of it is replaced.
                let tx = store.begin("reload_book").await?;
                let locked = store::heads::lock(&tx, &self.id).await?;
                self.catch_up_under_lock(&tx, &locked.head, budget).await?;
                Ok(tx.end().await?)
            }
        }
    }

    /// Brings the book to where its head was locked, or back to there if the database was put back under a running service. Uses
    /// nothing but the transaction: a second connection might be one that all are waiting for.
    pub(super) async fn catch_up_under_lock(&self, tx: &Tx, head: &Head, budget: usize) -> Result<(), LoadError> {
        let followed = self.follow(tx, head.tip(), Some(head.facts_floor)).await?;
        if matches!(followed, Followed::Reached) && self.tip() == head.tip() {
            return Ok(());
        }
        let trimmed = matches!(followed, Followed::Trimmed);
        self.replace(load_book(tx, &self.id, budget).await?, !trimmed);
        Ok(())
    }

    /// Whether the log leads the book to where its head was locked.
    pub(super) async fn follows_to(&self, tx: &Tx, head: &Head) -> Result<bool, store::Error> {
        let followed = self.follow(tx, head.tip(), Some(head.facts_floor)).await?;
        Ok(matches!(followed, Followed::Reached) && self.tip() == head.tip())
    }

    /// Without the lock of the head the `floor` of the facts is not known: it may be raised at any time.
    async fn follow(&self, log: &impl Readable, until: Tip, floor: Option<Revision>) -> Result<Followed, store::Error> {
        loop {
            let from = self.tip();
            if from.revision >= until.revision {
                return Ok(Followed::Reached);
            }
            // With the one that the book ends with: what follows another one is of another log.
            let commits = store::facts::commits_from(log, &self.id, from.revision, LOG_PAGE).await?;
            // Read after the facts: whoever deleted some of them before they were read has raised the floor by now.
            let floor = match floor {
                Some(floor) => floor,
                None => store::heads::read(log, &self.id).await?.facts_floor,
            };
            if from.revision > floor && commits.first().map(Commit::tip) != Some(from) {
                return Ok(Followed::Elsewhere);
            }
            let more = commits.last().is_some_and(|last| last.revision > from.revision);
            if from.revision < floor || !more || self.take_over(commits).is_err() {
                return Ok(Followed::Trimmed);
            }
        }
    }

    /// Replaces the book. Unless the database was put back, only by a later one: what was shown must not be taken back.
    fn replace(&self, loaded: Book, put_back: bool) {
        let mut book = self.book.write();
        let (account, from, to) = (&self.id, book.revision(), loaded.revision());
        if put_back {
            self.epoch.fetch_add(1, Ordering::Release);
            metrics::get().book_lost();
            tracing::warn!(%account, %from, %to, "the database was put back: give the history a new id");
        } else if to > from {
            tracing::warn!(%account, %from, %to, "an account was loaded anew");
        } else {
            return;
        }
        self.recent.lock().clear();
        *book = loaded;
        self.account_for(&book);
    }

    fn account_for(&self, book: &Book) {
        self.measure(book);
        self.reached.store(book.revision().0, Ordering::Release);
        self.announced.send_replace(book.revision());
    }
}

/// How far the log led.
enum Followed {
    /// To where it was to lead.
    Reached,
    /// Not so far: facts that are not history were trimmed, and the snapshot has what they amounted to.
    Trimmed,
    /// It does not lead from where the book stands: the database was put back, and what the book ends with is lost.
    Elsewhere,
}

/// Reads an account where nothing moves meanwhile: in a snapshot, or under the lock of its head.
async fn load_book(at: &impl Readable, id: &AccountId, budget: usize) -> Result<Book, LoadError> {
    let head = store::heads::read(at, id).await?;
    let mut book = Book::at(head.revision);
    book.load_time(head.changed_at);
    if head.revision == Revision::ZERO {
        return Ok(book);
    }
    if let Some((settings, revision)) = store::settings::read(at, id).await? {
        book.load_settings(settings, revision);
    }
    for member in store::members::all(at, id).await? {
        book.load_member(member);
    }
    let mut until_check = LEADS_UNTIL_CHECK;
    store::leads::for_each(at, id, |lead| {
        book.load_lead(lead);
        until_check -= 1;
        if until_check > 0 {
            return Ok(());
        }
        until_check = LEADS_UNTIL_CHECK;
        fits(book.bytes(), budget)
    })
    .await?;
    fits(book.bytes(), budget)?;
    Ok(book)
}

/// Refuses an account that alone needs more than the budget.
pub(super) fn fits(needed: usize, budget: usize) -> Result<(), LoadError> {
    if needed <= budget {
        return Ok(());
    }
    metrics::get().book_refused();
    Err(LoadError::TooLarge { needed, budget })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::fact::Fact;
    use crate::domain::ids::CallerId;
    use crate::domain::settings::Settings;

    fn commits(revisions: std::ops::RangeInclusive<i64>) -> Vec<Commit> {
        let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
        let origin = Origin { actor, source: Source::Api, reason: String::new(), batch: None, request: None };
        let commit = |revision| Commit {
            revision: Revision(revision),
            at: Timestamp(revision),
            origin: origin.clone(),
            facts: vec![Fact::SettingsUpdated(Settings::default())],
        };
        revisions.map(commit).collect()
    }

    fn resident() -> Arc<Resident> {
        Arc::new(Resident::with(AccountId::parse("a").unwrap(), Book::default(), 1 << 30))
    }

    #[test]
    fn readers_do_not_wait_for_a_whole_batch_and_never_see_more_than_the_account_says() {
        let last = 300_000;
        let resident = resident();
        let (batch, done) = (commits(1..=last), AtomicBool::new(false));
        let between = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut between = 0;
                while !done.load(Ordering::Relaxed) {
                    let seen = resident.read(Book::revision);
                    assert!(resident.revision() >= seen, "who has seen {seen} must be able to ask for it");
                    between += usize::from(seen > Revision::ZERO && seen < Revision(last));
                }
                between
            });
            resident.take_over(batch).unwrap();
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert!(between > 0, "nobody could read until all were taken over");
        assert_eq!(*resident.revisions().borrow(), Revision(last));
    }

    #[test]
    fn followers_are_told_once_a_batch_is_in_the_book_even_if_its_end_does_not_follow() {
        let resident = resident();
        let mut revisions = resident.revisions();
        let mut batch = commits(1..=200);
        batch.extend(commits(202..=202));
        assert!(resident.take_over(batch).is_err());
        assert!(revisions.has_changed().unwrap());
        assert_eq!(*revisions.borrow_and_update(), Revision(200));
        assert_eq!(
            (resident.revision(), resident.recent_after(Revision(150)).unwrap().commits().len()),
            (Revision(200), 50)
        );
    }
}
