//! One connection after the other: what is told and found is relayed over it until it is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::Options;
use super::audit::Audit;
use super::backlog::{Trouble, measure_always};
use super::broker::{self, Broker};
use super::failure::Failure;
use super::queue::Queue;
use super::relay::Relay;
use super::settlement::Settlement;
use super::wake::{Others, Waking};
use crate::domain::ids::AccountId;
use crate::ledger::{Changed, Ledger};
use crate::metrics;
use crate::store;

/// Accounts taken from the outbox at once, and how many may wait before no more are taken.
const PAGE: u64 = 1_000;
const WAITING: usize = 5_000;
/// Rest after the outbox was looked at because another replica asked for it.
const REST: Duration = Duration::from_millis(100);
/// How often the stream is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// Pause before a connection is made anew: the first and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What publishes in the background.
pub(super) struct Publishing {
    ledger: Ledger,
    options: Arc<Options>,
    settlement: Settlement,
    trouble: Trouble,
    others: Others,
    stop: CancellationToken,
}

impl Publishing {
    pub(super) fn new(ledger: Ledger, options: Arc<Options>, stop: CancellationToken) -> Self {
        let settlement = Settlement::new(ledger.log().clone());
        let (trouble, others) = (Trouble::default(), Others::new());
        Self { ledger, options, settlement, trouble, others, stop }
    }

    /// Publishes until it is told to stop and has published what it still had to.
    pub(super) async fn run(self) {
        let (ledger, connection, others) = (&self.ledger, &self.options.connection, &self.others);
        let waking = Waking { ledger, connection, others };
        tokio::select! {
            () = self.connections() => {}
            () = self.settlement.settle_always() => {}
            () = measure_always(self.ledger.log()) => {}
            () = waking.exchange_always() => {}
        }
        self.settlement.settle().await;
    }

    async fn connections(&self) {
        let mut pause = Duration::ZERO;
        loop {
            let began = Instant::now();
            let outcome = self.connection().await;
            self.connected(false);
            let Err(error) = outcome else { return };
            metrics::get().publish_failed(error.kind());
            self.trouble.tell(error.kind(), &error);
            pause = pause_after(pause, began.elapsed());
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    fn connected(&self, connected: bool) {
        metrics::get().broker_connected(connected);
        self.others.need(!connected);
    }

    /// Publishes over one connection. Ends well only when it is told to stop.
    async fn connection(&self) -> Result<(), Failure> {
        // Seldom, and large.
        let connect = Box::pin(self.connect());
        let Some(broker) = self.stop.run_until_cancelled(connect).await.transpose()? else { return Ok(()) };
        self.connected(true);
        tracing::info!(stream = self.options.stream.name, "publishing");
        let queue = Queue::default();
        let relay = Relay::new(&broker, (&self.ledger, &self.options), &self.settlement, &self.trouble);
        let mut audit = Audit::new(self.ledger.log(), &self.options.stream);
        // Before anything is appended: what is lost shows by what the stream ends with.
        self.look(&broker, &relay, &mut audit).await?;
        tokio::select! {
            () = broker.lost() => Err(broker::Error::Lost.into()),
            outcome = relay.work(&queue) => outcome.map_err(Failure::from),
            outcome = self.look_always(&broker, &relay, &mut audit) => outcome,
            () = self.look_for_changes(&queue, &relay) => Ok(()),
            () = self.listen(&queue, &relay) => Ok(()),
        }
    }

    async fn connect(&self) -> Result<Broker, Failure> {
        let broker = Broker::connect(&self.options.connection, &self.options.stream.name).await?;
        let known = store::published::furthest(self.ledger.log()).await?;
        broker.prepare(&self.options.stream, known.sequence).await?;
        Ok(broker)
    }

    /// Looks again and again whether the stream still has what was published.
    async fn look_always(&self, broker: &Broker, relay: &Relay<'_>, audit: &mut Audit<'_>) -> Result<(), Failure> {
        loop {
            sleep(LOOK).await;
            match self.look(broker, relay, audit).await {
                Err(Failure::Store(error)) => self.trouble.tell("store", &error),
                outcome => outcome?,
            }
        }
    }

    async fn look(&self, broker: &Broker, relay: &Relay<'_>, audit: &mut Audit<'_>) -> Result<(), Failure> {
        let known = store::published::furthest(self.ledger.log()).await?;
        let state = broker.state(&self.options.stream).await?;
        relay.note(state.clone());
        Ok(audit.look(known, &state).await?)
    }

    /// Has every account looked at that changes here. Ends when it is told to stop and nothing is left.
    async fn listen(&self, queue: &Queue, relay: &Relay<'_>) {
        let mut changed = self.ledger.changed();
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                told = changed.recv() => match told {
                    Ok(Changed { account, revision: _, traces }) => {
                        relay.expect(&account, traces);
                        queue.push(account);
                    }
                    // They are in the outbox.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                () = self.stop.cancelled(), if !stopping => stopping = true,
                () = queue.idle(), if stopping => return,
            }
        }
    }

    /// Has every account looked at that waits for longer than it should, for ever. What is known of it may be what is wrong. If
    /// another replica cannot publish, everything that waits is waiting for longer than it should.
    async fn look_for_changes(&self, queue: &Queue, relay: &Relay<'_>) {
        let mut after = None;
        let mut polls = interval(self.options.poll_interval);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let age = tokio::select! {
                _ = polls.tick() => self.options.poll_interval,
                () = self.others.needed() => Duration::ZERO,
            };
            if queue.len() > WAITING {
                continue;
            }
            match self.waiting(after.as_ref(), age).await {
                Ok(accounts) => {
                    // Those behind the page come with the next poll, and after the last ones the first again.
                    after = if accounts.len() as u64 == PAGE { accounts.last().cloned() } else { None };
                    for account in accounts {
                        relay.forget(&account);
                        queue.push(account);
                    }
                }
                Err(error) => self.trouble.tell("store", &error),
            }
            if age.is_zero() {
                sleep(REST).await;
            }
        }
    }

    /// Accounts that wait for so long. Younger ones than a poll are on their way already, through the replica that changed them.
    async fn waiting(&self, after: Option<&AccountId>, age: Duration) -> Result<Vec<AccountId>, store::Error> {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        store::outbox::waiting(self.ledger.log(), after, age, PAGE).await
    }
}

/// The pause after a connection that came after another pause, and lasted for so long. Of a broker that comes and goes, no more is
/// missed than is had: one that stays for longer than the longest pause is connected to again at once.
fn pause_after(pause: Duration, lasted: Duration) -> Duration {
    if lasted > LONGEST_PAUSE { FIRST_PAUSE } else { (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_connections_are_short_and_not_while_they_are_long() {
        let pauses = |lasted: Duration| {
            let pauses = std::iter::successors(Some(Duration::ZERO), move |pause| Some(pause_after(*pause, lasted)));
            pauses.skip(1).take(7).map(|pause| pause.as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(pauses(Duration::ZERO), [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(pauses(LONGEST_PAUSE + Duration::from_millis(1)), [250; 7]);
    }
}
