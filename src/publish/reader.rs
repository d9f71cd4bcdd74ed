//! Reads what is to be published of an account.

use std::time::Duration;

use tokio::sync::Semaphore;

use super::audit::{State, is_lost};
use super::event::Place;
use super::failure::Failure;
use super::pack::Packer;
use crate::domain::fact::Tip;
use crate::domain::ids::{AccountId, Revision};
use crate::ledger::Ledger;
use crate::store::{self, Snapshot};

/// What is read at once.
const PAGE: usize = 2_000;
/// Accounts that may read the log at the same time, so that the pool keeps connections for callers.
const READING: usize = 2;

/// What was read of the log.
pub(super) struct Page {
    /// Everything up to here.
    pub(super) until: Revision,
    /// And that was all.
    pub(super) last: bool,
}

/// Reads the log, or the latest part of it that is in memory.
pub(super) struct Reader<'a> {
    ledger: &'a Ledger,
    /// How long the stream keeps what is published.
    max_age: Duration,
    turns: Semaphore,
}

impl<'a> Reader<'a> {
    pub(super) fn new(ledger: &'a Ledger, max_age: Duration) -> Self {
        Self { ledger, max_age, turns: Semaphore::new(READING) }
    }

    /// Where an account begins of which the stream has nothing. If that has grown too old, it goes on where it ended. If it was never
    /// there or is lost, it begins with the first change that would still be there.
    pub(super) async fn beginning(&self, account: &AccountId, state: &State) -> Result<Place, Failure> {
        let _turn = self.turns.acquire().await;
        let snapshot = self.ledger.log().snapshot("publish_start").await?;
        let head = store::heads::read(&snapshot, account).await?;
        let age = i64::try_from(self.max_age.as_micros()).unwrap_or(i64::MAX);
        let kept_since = store::clock(&snapshot).await?.minus_micros(age);
        let watermark = store::published::find(&snapshot, account).await?;
        if let Some(watermark) = &watermark
            && !is_lost(watermark, state, kept_since)
        {
            return Ok(Place::after(watermark.revision));
        }
        let before = store::history::revision_before(&snapshot, account, kept_since, head.revision).await?;
        let before = watermark.map_or(before, |watermark| before.min(watermark.revision)).max(head.history_floor);
        Ok(Place::after(store::history::last_published(&snapshot, account, before).await?))
    }

    /// Fails if the log does not have what the stream ends with: what comes next in the log does not follow that. A revision is
    /// recognised by its time, which every release writes alike, and not by all that is said of it, which they may not.
    pub(super) async fn has(&self, account: &AccountId, Tip { revision, at }: Tip) -> Result<(), Failure> {
        let log = self.ledger.log();
        if store::history::made_at(log, account, revision).await? == Some(at) {
            return Ok(());
        }
        // Read afterwards: a floor is raised together with the deletion of what is below.
        let head = store::heads::read(log, account).await?;
        if head.revision < revision {
            return Err(Failure::Ahead { account: account.clone(), log: head.revision, stream: revision });
        }
        if head.history_floor < revision {
            return Err(Failure::Diverged { account: account.clone(), revision });
        }
        Ok(())
    }

    /// The same, of what was found there before. What is in memory need not be looked for: what follows it there does follow it.
    pub(super) async fn still_has(&self, account: &AccountId, tip: Tip) -> Result<(), Failure> {
        if self.ledger.recent_made_at(account, tip.revision) == Some(tip.at) {
            return Ok(());
        }
        self.has(account, tip).await
    }

    /// Reads on after a revision: in memory if it is there, and otherwise in the log.
    pub(super) async fn read(
        &self,
        account: &AccountId,
        after: Revision,
        packer: &mut Packer,
    ) -> Result<Page, Failure> {
        if let Some(stretch) = self.ledger.recent_after(account, after) {
            stretch.commits().iter().for_each(|commit| packer.add(commit));
            return Ok(Page { until: stretch.until(), last: !stretch.goes_on() });
        }
        let _turn = self.turns.acquire().await;
        // What is read is complete only above the floor of the same moment.
        let snapshot = self.ledger.log().snapshot("publish").await?;
        let head = store::heads::read(&snapshot, account).await?;
        if head.revision < after {
            let (account, stream) = (account.clone(), after);
            return Err(Failure::Ahead { account, log: head.revision, stream });
        }
        self.read_log(&snapshot, account, (after, head), packer).await
    }

    async fn read_log(
        &self,
        snapshot: &Snapshot,
        account: &AccountId,
        (mut after, head): (Revision, store::heads::Head),
        packer: &mut Packer,
    ) -> Result<Page, Failure> {
        if after < head.history_floor {
            tracing::warn!(%account, %after, floor = %head.history_floor, "history was deleted before it was published");
            after = head.history_floor;
            packer.skip_to(after);
        }
        let commits = store::facts::published_between(snapshot, account, after, head.revision, PAGE as u64).await?;
        commits.iter().for_each(|commit| packer.add(commit));
        // A page that was cut short has at least half of what was asked for: no request has more changes than that.
        let last = commits.iter().map(|commit| commit.facts.len()).sum::<usize>() < PAGE / 2;
        let until = commits.last().map_or(head.revision, |commit| commit.revision);
        Ok(Page { until: if last { head.revision } else { until }, last })
    }
}
