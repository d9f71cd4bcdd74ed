//! What a watch sends: changes when there are some, and otherwise how far it has looked.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Started;
use super::departure::Departure;
use super::limits::Place;
use crate::context::Moment;
use crate::domain::change::{ChangeFilter, OwnerChange, changes_of};
use crate::domain::fact::Commit;
use crate::domain::ids::Revision;
use crate::history::check;
use crate::ledger::{self, Following, Ledger, Stretch};
use crate::metrics;
use crate::store;

/// Changes in one message of what is no longer in memory, about: whole revisions are added until there are so many.
const CHANGES: usize = 500;
/// Changes read from the log at once.
const LOG_PAGE: u64 = 2_000;
/// For how long nothing may be heard of the database before a watch no longer claims to know what happens.
const MAX_SILENCE: Duration = Duration::from_secs(5);

/// A message of a watch.
#[derive(Debug)]
pub enum Message {
    /// Where it begins. The first message.
    Started(Started),
    /// Changes of whole revisions.
    Changes {
        /// The position of the message before.
        previous: Revision,
        /// The position of this one: every change up to it that was asked for was sent.
        revision: Revision,
        /// The changes in between that were asked for.
        changes: Changes,
        /// Where the account stands, as far as the replica knows.
        head: Revision,
    },
    /// No change that was asked for.
    Progress {
        /// The position of the message before.
        previous: Revision,
        /// The position of this one.
        revision: Revision,
        /// Where the account stands, as far as the replica knows.
        head: Revision,
    },
}

/// Changes of whole revisions.
#[derive(Debug)]
pub enum Changes {
    /// All of a stretch: what other watches of the account send as well.
    All(Arc<Stretch>),
    /// Those that this watch asked for, or that are no longer in memory for others.
    Some(Vec<OwnerChange>),
}

impl Message {
    /// Its position: the watch can be resumed after it.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Started(started) => started.revision,
            Self::Changes { previous: _, revision, changes: _, head: _ } => *revision,
            Self::Progress { previous: _, revision, head: _ } => *revision,
        }
    }
}

/// What a watch shares with the others.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// Where it reads what is no longer in memory.
    pub(super) ledger: Ledger,
    /// When it is its turn to read there.
    pub(super) turn: Arc<Semaphore>,
    /// When it has to go because the service does.
    pub(super) departure: Departure,
    /// Its place among the watches there may be, given back when dropped.
    pub(super) _place: Place,
}

/// One watch. There are many of them, most of which wait: what is needed to wait is made once, and what is needed only now and
/// then is put elsewhere.
#[derive(Debug)]
pub struct Watch {
    /// Where it begins, until that is said.
    started: Option<Started>,
    began: Instant,
    interval: Duration,
    following: Following,
    filter: ChangeFilter,
    surroundings: Surroundings,
    /// Everything up to here has been sent, or looked at and found not to be asked for.
    looked_at: Revision,
    /// The position of the last message.
    sent: Revision,
    /// When the next message is due at the latest.
    due: Instant,
    /// Rings when a message was due. Set anew only then: most messages come earlier, and move only what is due.
    alarm: Pin<Box<Sleep>>,
}

impl Watch {
    pub(super) fn new(
        started: Started,
        following: Following,
        filter: ChangeFilter,
        surroundings: Surroundings,
    ) -> Self {
        let interval = started.progress_interval;
        let (looked_at, sent, began) = (started.revision, started.revision, Instant::now());
        let due = began + interval;
        let (started, alarm) = (Some(started), Box::pin(sleep_until(due)));
        Self { started, began, interval, following, filter, surroundings, looked_at, sent, due, alarm }
    }

    /// The position of the last message. It can be resumed after it.
    pub fn position(&self) -> Revision {
        self.sent
    }

    /// Completes when it has to go because the service does.
    pub fn departure(&self) -> impl Future<Output = ()> + use<> {
        self.surroundings.departure.clone().turn()
    }

    /// The next message, at the latest when one is due. Fails when what comes next can no longer be told.
    pub async fn next(&mut self) -> Result<Message, ledger::Error> {
        if let Some(started) = self.started.take() {
            return Ok(Message::Started(started));
        }
        loop {
            let head = self.following.head();
            let changes = if self.looked_at < head { self.look_on(head).await? } else { None };
            if self.following.is_lost() {
                return Err(Box::pin(self.loss()).await);
            }
            if let Some(changes) = changes {
                let (previous, revision, head) = self.advance(head);
                return Ok(Message::Changes { previous, revision, changes, head });
            }
            if Instant::now() >= self.due {
                return self.progress(head);
            }
            if self.looked_at >= head {
                self.wait().await;
            }
        }
    }

    /// Waits until there is something to look at or to say.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.following.moved() => {}
            () = self.alarm.as_mut() => self.alarm.as_mut().reset(self.due),
        }
    }

    /// Looks at some of the commits that were not looked at yet, and returns what was asked for.
    async fn look_on(&mut self, head: Revision) -> Result<Option<Changes>, ledger::Error> {
        if let Some(stretch) = self.following.recent_after(self.looked_at) {
            return Ok(self.look_at(stretch));
        }
        // Seldom, and large.
        let commits = Box::pin(self.read_log(head)).await?;
        if commits.is_empty() {
            self.looked_at = head;
        }
        Ok(self.look_back_at(&commits))
    }

    /// Looks at commits that are in memory, and returns what was asked for.
    fn look_at(&mut self, stretch: Arc<Stretch>) -> Option<Changes> {
        if let [first, ..] = stretch.commits() {
            // What was there before the watch has waited for it, not for anything else.
            metrics::get().watch_lagged(first.known_since().max(self.began).elapsed());
        }
        self.looked_at = stretch.until();
        let all = stretch.owner_changes();
        if self.filter == ChangeFilter::default() {
            return (all > 0).then_some(Changes::All(stretch));
        }
        let changes = stretch.commits().iter().flat_map(|commit| changes_of(commit));
        let some: Vec<_> = changes.filter(|change| self.filter.matches(change)).collect();
        match some.len() {
            0 => None,
            found if found == all => Some(Changes::All(stretch)),
            _ => Some(Changes::Some(some)),
        }
    }

    /// The same for commits that were read from the log.
    fn look_back_at(&mut self, commits: &[Commit]) -> Option<Changes> {
        let mut found = Vec::new();
        for commit in commits {
            found.extend(changes_of(commit).filter(|change| self.filter.matches(change)));
            self.looked_at = commit.revision;
            if found.len() >= CHANGES {
                break;
            }
        }
        (!found.is_empty()).then_some(Changes::Some(found))
    }

    /// The next commits with owner changes. The floor is read at the same moment: none of them is missing.
    async fn read_log(&self, until: Revision) -> Result<Vec<Commit>, ledger::Error> {
        // The semaphore is never closed.
        let _turn = self.surroundings.turn.acquire().await;
        let account = self.following.account();
        let snapshot = self.surroundings.ledger.log().snapshot("watch").await?;
        let head = store::heads::read(&snapshot, account).await?;
        check(self.looked_at, Moment::Revision(self.looked_at), &head)?;
        Ok(store::facts::owner_changes_between(&snapshot, account, self.looked_at, until, LOG_PAGE).await?)
    }

    /// The database was put back: what was sent may be lost, and what comes next does not follow it.
    async fn loss(&self) -> ledger::Error {
        let ledger = &self.surroundings.ledger;
        match store::heads::read(ledger.log(), self.following.account()).await {
            Ok(store::heads::Head { history_floor: floor, revision: head, .. }) => {
                ledger::Error::HistoryMismatch { history: ledger.history_id().to_owned(), floor, head }
            }
            Err(error) => error.into(),
        }
    }

    fn progress(&mut self, head: Revision) -> Result<Message, ledger::Error> {
        if self.following.silence() > MAX_SILENCE {
            return Err(store::Error::TimedOut.into());
        }
        let (previous, revision, head) = self.advance(head);
        Ok(Message::Progress { previous, revision, head })
    }

    fn advance(&mut self, head: Revision) -> (Revision, Revision, Revision) {
        self.due = Instant::now() + self.interval;
        let previous = std::mem::replace(&mut self.sent, self.looked_at);
        (previous, self.sent, head.max(self.sent))
    }
}
