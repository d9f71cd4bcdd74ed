//! An account in memory: its book, kept up to date from the log, and the latest commits for those who watch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::domain::book::{Book, DoesNotFollow};
use crate::domain::fact::Commit;
use crate::domain::ids::{AccountId, Revision};
use crate::store::{self, Readable, Store, Tx};

/// Facts read from the log at once.
const LOG_PAGE: u64 = 5_000;
/// Leads that are loaded between two looks at the budget.
const LEADS_UNTIL_CHECK: u32 = 10_000;
/// Commits kept for watchers that are up to date.
const RECENT_COMMITS: usize = 1_024;
/// Facts kept with them, and what one takes, about: ids, origin and reason.
const RECENT_FACTS: usize = 20_000;
const FACT_BYTES: usize = 256;
/// What an account takes before anything is known of it: its task, its queue, its place.
const FIXED_BYTES: usize = 16 * 1024;

/// An account in memory.
#[derive(Debug)]
pub(super) struct Resident {
    pub(super) id: AccountId,
    book: RwLock<Book>,
    revision: watch::Sender<Revision>,
    recent: Mutex<Recent>,
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

/// The latest commits, without a gap.
#[derive(Debug, Default)]
struct Recent {
    commits: VecDeque<Arc<Commit>>,
    facts: usize,
}

impl Recent {
    fn bytes(&self) -> usize {
        self.facts * FACT_BYTES
    }

    fn push(&mut self, commit: Arc<Commit>) {
        self.facts += commit.facts.len();
        self.commits.push_back(commit);
        while self.commits.len() > RECENT_COMMITS || (self.facts > RECENT_FACTS && self.commits.len() > 1) {
            self.facts -= self.commits.pop_front().map_or(0, |commit| commit.facts.len());
        }
    }
}

impl Resident {
    /// Loads an account as of one moment. Refuses one that alone needs more than `budget` bytes.
    pub(super) async fn load(store: &Store, id: AccountId, budget: usize) -> Result<Self, LoadError> {
        let book = load_book(&store.snapshot("load_book").await?, &id, budget).await?;
        Ok(Self {
            id,
            revision: watch::Sender::new(book.revision()),
            bytes: AtomicUsize::new(FIXED_BYTES + book.bytes()),
            book: RwLock::new(book),
            recent: Mutex::default(),
            catching_up: tokio::sync::Mutex::default(),
        })
    }

    /// Asks the book something. Everything in one call sees the same revision.
    pub(super) fn read<R>(&self, question: impl FnOnce(&Book) -> R) -> R {
        question(&self.book.read())
    }

    /// The revision of the book.
    pub(super) fn revision(&self) -> Revision {
        *self.revision.borrow()
    }

    /// Tells when the book moves on.
    pub(super) fn revisions(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// Bytes of memory it took when it last changed much.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The commits after a revision, if all of them are still in memory.
    pub(super) fn recent_after(&self, after: Revision) -> Option<Vec<Arc<Commit>>> {
        let recent = self.recent.lock();
        let first = recent.commits.front()?.revision;
        if after.next() < first {
            return None;
        }
        let skip = usize::try_from(after.0 + 1 - first.0).unwrap_or(usize::MAX);
        Some(recent.commits.iter().skip(skip).cloned().collect())
    }

    /// Takes commits over into the book. Those it contains already are ignored.
    pub(super) fn take_over(&self, commits: Vec<Commit>) -> Result<(), DoesNotFollow> {
        let mut book = self.book.write();
        for commit in commits {
            if commit.revision > book.revision() {
                book.apply(&commit)?;
                self.recent.lock().push(Arc::new(commit));
            }
        }
        self.account_for(&book);
        Ok(())
    }

    /// Brings the book to a revision that the log has.
    pub(super) async fn catch_up(&self, store: &Store, until: Revision, budget: usize) -> Result<(), LoadError> {
        if self.revision() >= until {
            return Ok(());
        }
        let _alone = self.catching_up.lock().await;
        match self.follow(store, until).await? {
            Followed::Reached => Ok(()),
            Followed::Trimmed => {
                let loaded = load_book(&store.snapshot("reload_book").await?, &self.id, budget).await?;
                self.replace(loaded, false);
                Ok(())
            }
        }
    }

    /// Brings the book to where its head was locked, or back to there if the database was put back under a running service. Uses
    /// nothing but the transaction: a second connection might be one that all are waiting for.
    pub(super) async fn catch_up_under_lock(&self, tx: &Tx, head: Revision, budget: usize) -> Result<(), LoadError> {
        if head >= self.revision() && matches!(self.follow(tx, head).await?, Followed::Reached) {
            return Ok(());
        }
        self.replace(load_book(tx, &self.id, budget).await?, true);
        Ok(())
    }

    async fn follow(&self, log: &impl Readable, until: Revision) -> Result<Followed, LoadError> {
        while self.revision() < until {
            let from = self.revision();
            let commits = store::facts::commits_after(log, &self.id, from, LOG_PAGE).await?;
            // Read after the facts: whoever deleted some of them before they were read has raised the floor by now.
            let head = store::heads::read(log, &self.id).await?;
            if from < head.facts_floor || commits.is_empty() || self.take_over(commits).is_err() {
                return Ok(Followed::Trimmed);
            }
        }
        Ok(Followed::Reached)
    }

    /// Replaces the book. Unless the head is locked, only by a later one: what was shown must not be taken back.
    fn replace(&self, loaded: Book, under_lock: bool) {
        let mut book = self.book.write();
        if !under_lock && loaded.revision() <= book.revision() {
            return;
        }
        let (from, to) = (book.revision(), loaded.revision());
        tracing::warn!(account = %self.id, %from, %to, "an account was loaded anew");
        *self.recent.lock() = Recent::default();
        *book = loaded;
        self.account_for(&book);
    }

    fn account_for(&self, book: &Book) {
        self.bytes.store(FIXED_BYTES + book.bytes() + self.recent.lock().bytes(), Ordering::Relaxed);
        self.revision.send_replace(book.revision());
    }
}

/// How far the log led.
enum Followed {
    /// To where it was to lead.
    Reached,
    /// Not so far: facts that are not history were trimmed, and the snapshot has what they amounted to.
    Trimmed,
}

/// Reads an account where nothing moves meanwhile: in a snapshot, or under the lock of its head.
async fn load_book(at: &impl Readable, id: &AccountId, budget: usize) -> Result<Book, LoadError> {
    let head = store::heads::read(at, id).await?;
    let mut book = Book::at(head.revision);
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
        check(&book, budget)
    })
    .await?;
    check(&book, budget)?;
    Ok(book)
}

fn check(book: &Book, budget: usize) -> Result<(), LoadError> {
    let needed = book.bytes();
    if needed > budget { Err(LoadError::TooLarge { needed, budget }) } else { Ok(()) }
}
