//! Whether the stream still has what was published, and what it has lost.
//!
//! A broker may lose what it has acknowledged: it is put back to an older copy, purged, or created anew. The database knows where in
//! the stream each account ends, so what is lost is found by a few ranges of an index, and marked to be published again. What has
//! only grown too old for the stream is not.

use std::time::Duration;

use super::Stream;
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::store::published::{Position, Watermark, between};
use crate::store::{self, Store};

/// Accounts marked in one transaction.
const PAGE: u64 = 1_000;
/// What was published so shortly before the stream lets go of it is not missed.
const SLACK: Duration = Duration::from_secs(60);

/// How the stream is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    /// When it was created, in microseconds.
    pub(super) incarnation: i64,
    /// The sequence numbers of its first and last message. If it has none, the first is the one after the last.
    pub(super) first: i64,
    pub(super) last: i64,
    /// The sequence numbers in between that have no message any more.
    pub(super) holes: Vec<i64>,
    /// Whether it is as large as it may get, so that old messages have to make room.
    pub(super) full: bool,
}

/// Looks at one stream again and again.
#[derive(Debug)]
pub(super) struct Audit<'a> {
    store: &'a Store,
    stream: &'a Stream,
    /// How it was when it was looked at last.
    seen: State,
    /// Where it began the time before that. What was published late is noted late, by a second or two.
    began: i64,
}

impl<'a> Audit<'a> {
    pub(super) fn new(store: &'a Store, stream: &'a Stream) -> Self {
        Self { store, stream, seen: State::default(), began: 0 }
    }

    /// Looks for what is lost, and has it published again. `known` is the furthest place that was known before the stream was asked
    /// how it is: what came later is not missed.
    pub(super) async fn look(&mut self, known: Position, state: &State) -> Result<(), store::Error> {
        let State { incarnation, first, last, ref holes, full } = *state;
        let at = |sequence| Position { incarnation, sequence };
        let beyond = Position { sequence: known.sequence.saturating_add(1), ..known };
        // What is older than anything the stream keeps would not be in it either.
        let kept_since = self.kept_since().await?;
        self.mend("created anew", (Position::default(), at(0)), kept_since).await?;
        self.mend("put back", (at(last), beyond), kept_since).await?;
        let (old, began) = if self.seen.incarnation == incarnation { (self.began, self.seen.first) } else { (0, 0) };
        if !full {
            // Up to there everything is known to have grown old.
            self.mend("purged", (at(old - 1), at(first)), kept_since).await?;
        }
        if *holes != self.seen.holes {
            for some in holes.chunks(1_000) {
                let lost = store::published::at_messages(self.store, incarnation, some).await?;
                self.mark("deleted", &lost).await?;
            }
        }
        (self.seen, self.began) = (state.clone(), began);
        Ok(())
    }

    /// Has those accounts published again that end between two places and were published after a time.
    async fn mend(
        &self,
        how: &'static str,
        (mut after, before): (Position, Position),
        since: Timestamp,
    ) -> Result<(), store::Error> {
        let mut marked = 0;
        loop {
            let lost = between(self.store, (after, before), since, PAGE).await?;
            let Some(last) = lost.last() else { break };
            after = last.position;
            marked += self.mark_page(&lost).await?;
        }
        self.tell(how, marked);
        Ok(())
    }

    async fn mark(&self, how: &'static str, lost: &[Watermark]) -> Result<(), store::Error> {
        if !lost.is_empty() {
            self.tell(how, self.mark_page(lost).await?);
        }
        Ok(())
    }

    async fn mark_page(&self, lost: &[Watermark]) -> Result<u64, store::Error> {
        let tx = self.store.begin("mark_lost").await?;
        let marked = store::outbox::mark_again(&tx, lost).await?;
        tx.commit().await?;
        Ok(marked)
    }

    /// Of several replicas that see a loss, those tell of it that were the first to mark some of it.
    fn tell(&self, how: &'static str, accounts: u64) {
        if accounts > 0 {
            metrics::get().events_lost(how, accounts);
            tracing::warn!(
                stream = self.stream.name,
                how,
                accounts,
                "the stream has lost events; they are published again"
            );
        }
    }

    /// What was published since then should still be in the stream.
    async fn kept_since(&self) -> Result<Timestamp, store::Error> {
        let age = i64::try_from((self.stream.max_age.saturating_sub(SLACK)).as_micros()).unwrap_or(i64::MAX);
        Ok(store::clock(self.store).await?.minus_micros(age))
    }
}

/// Whether an account of which the stream has nothing was lost, and has not only grown too old for it.
pub(super) fn is_lost(watermark: &Watermark, state: &State, kept_since: Timestamp) -> bool {
    let Watermark { position, at, .. } = watermark;
    let made_room = state.full && position.sequence < state.first;
    position.incarnation != state.incarnation || (*at > kept_since && !made_room)
}
