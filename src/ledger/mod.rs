//! The heart: a log of facts for each account, a book of its present state, and one door for every change.
//!
//! Everybody else sends the ledger commands ([`Ledger::write`]) or asks its books ([`Ledger::book`]).

mod attempt;
mod batch;
mod books;
mod census;
mod door;
mod error;
mod freshness;
mod recent;
mod recorded;
mod recovery;
mod requests;
mod resident;
mod tail;
mod trim;
mod turns;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

pub use error::Error;
pub use recorded::{Recorded, Stretch};

use crate::context::{Context, Freshness};
use crate::domain::book::Book;
use crate::domain::command::Command;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::outcome::Answer;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenKey;
use crate::store::{self, Store};
use crate::trace::Trace;

use books::{Account, Books};
use tail::{Contact, Woken};
use writer::Writer;

/// For how long something long gives way to those who write. A commit is several short steps, each of which would wait for the
/// processor otherwise. A stream of senders takes longer while somebody writes.
const WAY: Duration = Duration::from_millis(1);

/// Accounts that changed while somebody who wants to know of each was not listening.
const CHANGES_NOT_HEARD: usize = 4_096;

/// An account of which something is to be published.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The account.
    pub account: AccountId,
    /// The last revision of which it is.
    pub revision: Revision,
    /// The requests that made revisions, as far as they are traced.
    pub traces: Vec<(Revision, Trace)>,
}

/// How long things are kept in the log.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Facts that are not history: as long as a replica may need them to catch up.
    pub facts: Duration,
    /// History; for ever when absent.
    pub history: Option<Duration>,
    /// Request ids.
    pub requests: Duration,
    /// Whether history is published, and stays until it is.
    pub until_published: bool,
}

/// How a ledger works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Writes of one account that may wait.
    pub queue_depth: usize,
    /// Writes of one account that may share a transaction.
    pub max_batch: usize,
    /// Transactions that write at the same time, over all accounts.
    pub writers: usize,
    /// Connections to the database, of which those who write leave some to those who read.
    pub connections: usize,
    /// Memory for all books together, in bytes.
    pub memory_budget_bytes: usize,
    /// How long a book that nobody uses is kept.
    pub idle_after: Duration,
    /// How often other replicas' writes are looked for.
    pub poll_interval: Duration,
    /// How long things are kept.
    pub retention: Retention,
    /// How often what need not be kept is deleted.
    pub trim_interval: Duration,
}

/// The state of all accounts, and the way to change it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    books: Arc<Books>,
    freshness: freshness::Freshness,
    contact: Contact,
    woken: Arc<Woken>,
    changed: broadcast::Sender<Changed>,
    history_id: String,
    token_key: TokenKey,
    ageing_from: Timestamp,
    budget: usize,
    draining: AtomicBool,
}

impl Ledger {
    /// Starts to serve a database whose schema is up to date.
    #[expect(clippy::disallowed_methods, reason = "the ledger owns the tasks that follow and trim the log")]
    pub async fn start(store: Store, options: Options) -> Result<Self, Error> {
        let meta = store::meta::read(&store).await?;
        let budget = options.memory_budget_bytes;
        let changed = broadcast::Sender::new(CHANGES_NOT_HEARD);
        let writer = Arc::new(Writer::new(store.clone(), &options, changed.clone()));
        let books = Arc::new(Books::new(store.clone(), options.clone(), writer));
        let (contact, woken) = (Contact::now(options.poll_interval), Arc::new(Woken::default()));
        tokio::spawn(tail::follow(Arc::clone(&books), store.clone(), Arc::clone(&woken), contact.clone()));
        tokio::spawn(trim::trim_always(store.clone(), options.retention, options.trim_interval));
        tokio::spawn(census::take_always(Arc::clone(&books), store.clone()));
        let freshness = freshness::Freshness::start(store.clone());
        let token_key = TokenKey::new(&meta.token_key, &meta.history_id);
        Ok(Self(Arc::new(Inner {
            store,
            books,
            freshness,
            contact,
            woken,
            changed,
            history_id: meta.history_id,
            token_key,
            ageing_from: meta.ageing_from,
            budget,
            draining: AtomicBool::new(false),
        })))
    }

    /// Has a command carried out: all of it in one transaction with its facts, or nothing of it.
    pub async fn write(&self, context: &Context, command: Command) -> Result<Answer, Error> {
        if self.0.draining.load(Ordering::Relaxed) {
            return Err(Error::Draining);
        }
        let account = self.0.books.get(&context.account).await?;
        account.door.pass(command, context.deadline).await
    }

    /// The book of an account, as fresh as asked for.
    pub async fn book(&self, context: &Context, freshness: Freshness) -> Result<Reading, Error> {
        let fresh = self.fresh(context, freshness);
        tokio::time::timeout_at(context.deadline, fresh).await.map_err(|_| Error::Deadline)?
    }

    async fn fresh(&self, context: &Context, freshness: Freshness) -> Result<Reading, Error> {
        let account = self.0.books.get(&context.account).await?;
        let reached = account.resident.revision();
        match freshness {
            Freshness::Any => {}
            Freshness::AtLeast(revision) if revision <= reached => {}
            Freshness::AtLeast(revision) => {
                let head = self.catch_up(&account).await?;
                if head < revision {
                    let floor = Revision::ZERO;
                    return Err(Error::InFuture { requested: crate::context::Moment::Revision(revision), floor, head });
                }
            }
            Freshness::Strict => {
                self.catch_up(&account).await?;
            }
        }
        Ok(Reading(account))
    }

    /// Brings an account to where the database says it stands, and says where that is.
    async fn catch_up(&self, account: &Account) -> Result<Revision, Error> {
        if self.0.store.is_exclusive() {
            // Every change goes through this process, and is in the book before it is answered.
            return Ok(account.resident.revision());
        }
        // First: what this replica commits in between must not look like something that the database has lost.
        let known = account.resident.tip();
        let head = self.0.freshness.head(&account.resident.id).await.map_err(Error::Store)?;
        account.resident.catch_up(&self.0.store, (known, head), self.0.budget).await?;
        Ok(head.revision)
    }

    /// Waits until the books show what was read from the log. A change is in the log a moment before it is in the book, and nobody
    /// may see it there and then no longer.
    pub async fn shows(&self, context: &Context, revision: Revision) -> Result<(), Error> {
        // With several replicas every strict read asks where the log stands.
        if !self.0.store.is_exclusive() {
            return Ok(());
        }
        let account = self.0.books.get(&context.account).await?;
        let mut revisions = account.resident.revisions();
        let shown = revisions.wait_for(|shown| *shown >= revision);
        let waited = tokio::time::timeout_at(context.deadline, shown).await;
        waited.map_err(|_| Error::Deadline)?.map(drop).map_err(|_| store::Error::TimedOut.into())
    }

    /// Lets others by between two steps of something long: for a moment those who write, and in any case whoever is ready.
    pub async fn give_way(&self) {
        if self.0.books.are_written() {
            tokio::time::sleep(WAY).await;
        } else {
            tokio::task::yield_now().await;
        }
    }

    /// For how long nothing was heard of the database.
    pub fn silence(&self) -> Duration {
        self.0.contact.silence()
    }

    /// Follows an account's commits.
    pub async fn follow(&self, context: &Context) -> Result<Following, Error> {
        let reading = self.book(context, Freshness::Strict).await?;
        let resident = &reading.0.resident;
        let (revisions, epoch) = (resident.revisions(), resident.epoch());
        Ok(Following { revisions, epoch, account: reading.0, contact: self.0.contact.clone() })
    }

    /// Tells of each account of which something is to be published through this replica, once per batch. Who listens too slowly misses some.
    pub fn changed(&self) -> broadcast::Receiver<Changed> {
        self.0.changed.subscribe()
    }

    /// Has the log of an account looked at without delay, because somebody says that it has reached a revision. Says whether that
    /// was worth saying: the account is in memory, and not there yet. Nothing else follows from it, so it need not be true.
    pub fn wake(&self, account: &AccountId, revision: Revision) -> bool {
        let news = self.0.books.peek(account).is_some_and(|resident| resident.revision() < revision);
        if news {
            self.0.woken.add(account.clone());
        }
        news
    }

    /// The next commits of an account after a revision, if all of them are still in memory. Otherwise the log has them.
    pub fn recent_after(&self, account: &AccountId, after: Revision) -> Option<Arc<Stretch>> {
        let resident = self.0.books.peek(account)?;
        if resident.revision() < after {
            return None;
        }
        resident.recent_after(after)
    }

    /// When a revision of an account was made, if it is still in memory.
    pub fn recent_made_at(&self, account: &AccountId, revision: Revision) -> Option<Timestamp> {
        self.0.books.peek(account)?.recent_made_at(revision)
    }

    /// Where the log can be read.
    pub fn log(&self) -> &Store {
        &self.0.store
    }

    /// The history that the revisions belong to.
    pub fn history_id(&self) -> &str {
        &self.0.history_id
    }

    /// What page tokens are made with.
    pub fn token_key(&self) -> &TokenKey {
        &self.0.token_key
    }

    /// Since when others are told of leads that nobody has owned for too long.
    pub fn ageing_from(&self) -> Timestamp {
        self.0.ageing_from
    }

    /// Takes no more writes. Those that have begun are finished.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }
}

/// A book to be asked.
#[derive(Debug)]
pub struct Reading(Arc<Account>);

impl Reading {
    /// Asks. Everything in one question sees the same revision, so the answer should carry it.
    pub fn ask<R>(&self, question: impl FnOnce(&Book) -> R) -> R {
        self.0.resident.read(question)
    }
}

/// An account whose commits are followed.
#[derive(Debug)]
pub struct Following {
    account: Arc<Account>,
    revisions: watch::Receiver<Revision>,
    epoch: u64,
    contact: Contact,
}

impl Following {
    /// The account.
    pub fn account(&self) -> &AccountId {
        &self.account.resident.id
    }

    /// The revision the replica knows of.
    pub fn head(&self) -> Revision {
        self.account.resident.revision()
    }

    /// Whether the database was put back since, so that what was read here may be in no log any more. To be asked after reading.
    pub fn is_lost(&self) -> bool {
        self.account.resident.epoch() != self.epoch
    }

    /// Waits until the replica knows of another revision than it did.
    pub async fn moved(&mut self) {
        // The sender lives as long as the account, which this holds.
        drop(self.revisions.changed().await);
    }

    /// The next commits after a revision, if all of them are still in memory. Otherwise the log has them.
    pub fn recent_after(&self, after: Revision) -> Option<Arc<Stretch>> {
        self.account.resident.recent_after(after)
    }

    /// For how long nothing was heard of the database.
    pub fn silence(&self) -> Duration {
        self.contact.silence()
    }
}
