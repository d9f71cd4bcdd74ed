//! Waking: replicas tell each other which accounts have changed, so that nobody waits for the next look at the log.
//!
//! A hint and no more: what it says is looked up before anything follows from it. So it may be lost, doubled, late, or a lie.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::time::sleep;

use super::Connection;
use super::broker::{Ear, Error, Line};
use crate::domain::ids::{AccountId, Revision};
use crate::ledger::{Changed, Ledger};
use crate::metrics;

/// Accounts in one message.
const AT_ONCE: usize = 1_000;
/// Rest after a message, in which what changes meanwhile gathers for the next.
const REST: Duration = Duration::from_millis(5);
/// Pause before a connection is made anew. Until then the others look at the log by themselves.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether replicas that cannot publish need others for it.
#[derive(Debug)]
pub(super) struct Others {
    /// Whether this one does.
    needed_here: AtomicBool,
    /// That another one does.
    needed_there: Notify,
}

impl Others {
    /// This one does, until it has a connection.
    pub(super) fn new() -> Self {
        Self { needed_here: AtomicBool::new(true), needed_there: Notify::new() }
    }

    /// From now on this replica needs others, or no longer.
    pub(super) fn need(&self, needed: bool) {
        self.needed_here.store(needed, Ordering::Relaxed);
    }

    /// Completes when another replica says that it cannot publish.
    pub(super) async fn needed(&self) {
        self.needed_there.notified().await;
    }
}

/// Wakes the other replicas, and is woken by them.
pub(super) struct Waking<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) connection: &'a Connection,
    pub(super) others: &'a Others,
}

impl Waking<'_> {
    /// Does so for ever, over one connection after the other. Where there is only one replica, nobody is to be woken.
    pub(super) async fn exchange_always(&self) {
        if self.ledger.log().is_exclusive() {
            return pending().await;
        }
        loop {
            if let Err(error) = self.exchange().await {
                // What is wrong with the broker is told by who publishes.
                tracing::debug!(error = &error as &dyn std::error::Error, "other replicas are not woken");
            }
            sleep(PAUSE).await;
        }
    }

    async fn exchange(&self) -> Result<(), Error> {
        let (line, ear) = Line::open(self.connection).await?;
        tracing::info!("replicas wake each other");
        tokio::select! {
            () = line.lost() => {}
            () = self.tell(&line) => {}
            () = self.listen(ear) => {}
        }
        Ok(())
    }

    /// Tells the others of each account that changes here.
    async fn tell(&self, line: &Line) {
        let mut changed = self.ledger.changed();
        loop {
            let accounts = gathered(&mut changed).await;
            let unpublished = self.others.needed_here.load(Ordering::Relaxed);
            let mut message = String::new();
            for (account, revision) in accounts {
                // Writing to a string does not fail.
                let _ = writeln!(message, "{}", Wake { account, revision, unpublished });
            }
            metrics::get().wakes("sent", 1);
            line.say(message.into()).await;
            sleep(REST).await;
        }
    }

    /// Heeds what the others tell.
    async fn listen(&self, mut ear: Ear) {
        while let Some(message) = ear.next().await {
            let mut heeded = 0;
            for wake in Wake::all(&message) {
                heeded += u64::from(self.ledger.wake(&wake.account, wake.revision));
                if wake.unpublished {
                    self.others.needed_there.notify_one();
                }
            }
            metrics::get().wakes("received", 1);
            metrics::get().wakes("heeded", heeded);
        }
    }
}

/// Accounts that have changed, as soon as there is one, with their last revisions.
async fn gathered(changed: &mut Receiver<Changed>) -> HashMap<AccountId, Revision> {
    let mut accounts = HashMap::new();
    while accounts.is_empty() {
        // Those that were missed are seen by who looks at the log.
        if let Ok(Changed { account, revision, .. }) = changed.recv().await {
            accounts.insert(account, revision);
        }
    }
    while accounts.len() < AT_ONCE
        && let Ok(Changed { account, revision, .. }) = changed.try_recv()
    {
        accounts.insert(account, revision);
    }
    accounts
}

/// That an account has changed: a line of a message.
#[derive(Debug, PartialEq, Eq)]
struct Wake {
    account: AccountId,
    /// Where it stands.
    revision: Revision,
    /// Whether the replica that changed it cannot publish it.
    unpublished: bool,
}

/// What the line of a change ends with that another replica has to publish.
const UNPUBLISHED: &str = "unpublished";

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, revision, unpublished } = self;
        write!(f, "{account} {revision}")?;
        if *unpublished { write!(f, " {UNPUBLISHED}") } else { Ok(()) }
    }
}

impl Wake {
    /// Those of a message, which anybody may have sent.
    fn all(message: &[u8]) -> impl Iterator<Item = Self> {
        std::str::from_utf8(message).unwrap_or_default().lines().take(AT_ONCE).filter_map(Self::parse)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (account, revision) = (AccountId::parse(words.next()?).ok()?, Revision(words.next()?.parse().ok()?));
        Some(Self { account, revision, unpublished: words.next() == Some(UNPUBLISHED) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(account: &str, revision: i64, unpublished: bool) -> Wake {
        Wake { account: AccountId::parse(account).unwrap(), revision: Revision(revision), unpublished }
    }

    fn parsed(message: &[u8]) -> Vec<Wake> {
        Wake::all(message).collect()
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        for wake in [wake("acme", 7, false), wake("A-b_9", i64::MAX, true)] {
            assert_eq!(parsed(format!("{wake}\n").as_bytes()), [wake]);
        }
    }

    #[test]
    fn of_what_makes_no_sense_nothing_is_left_and_the_rest_is_read() {
        let nonsense = ["", " ", "acme", "acme ", "acme x", "acme 99999999999999999999", "* 1", "a.b 1", "> 1", "-a 1"];
        for line in nonsense {
            let message = format!("{line}\nben 2\n");
            assert_eq!(parsed(message.as_bytes()), [wake("ben", 2, false)], "{line:?}");
        }
        assert_eq!(parsed(b"acme 1\n\xff 2\n"), []);
        assert_eq!(parsed(b"acme 1 later words"), [wake("acme", 1, false)]);
        assert_eq!(parsed("a 1\n".repeat(5_000).as_bytes()).len(), AT_ONCE);
    }

    #[tokio::test]
    async fn what_changes_together_is_told_once_for_each_account() {
        let (sender, mut changed) = tokio::sync::broadcast::channel(4);
        let tell = |account: &str, revision| {
            let account = AccountId::parse(account).unwrap();
            sender.send(Changed { account, revision: Revision(revision), traces: Vec::new() }).unwrap()
        };
        for revision in 1..=10 {
            tell("a", revision);
        }
        tell("b", 3);
        let expected = [("a", 10), ("b", 3)].map(|(id, revision)| (AccountId::parse(id).unwrap(), Revision(revision)));
        assert_eq!(gathered(&mut changed).await, HashMap::from(expected), "those that were missed stop nothing");
    }
}
