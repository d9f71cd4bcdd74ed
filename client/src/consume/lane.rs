//! A lane: takes the events of its accounts in, one after the other.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;

use super::account::Taken;
use super::delivery::{Delivery, UnderWay};
use super::event::Fault;
use super::failure::{Attempts, Failure};
use super::handler::Handler;
use super::queue::Queue;
use super::waiting::Waiting;
use super::{Core, Parked};

/// The longest pause before an event is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A lane.
pub(super) struct Lane<H> {
    core: Arc<Core<H>>,
    under_way: Arc<UnderWay>,
    waiting: Waiting,
    attempts: Attempts,
}

impl<H: Handler> Lane<H> {
    pub(super) fn new(core: Arc<Core<H>>, under_way: Arc<UnderWay>) -> Self {
        Self { core, under_way, waiting: Waiting::default(), attempts: Attempts::default() }
    }

    /// Takes in what comes, until nothing comes any more. What waits then is for others, who need not wait.
    pub(super) async fn run(mut self, queue: Arc<Queue>) {
        while let Some(delivery) = queue.next().await {
            if queue.is_closed() {
                self.under_way.remove(&delivery);
                delivery.give_back().await;
            } else {
                self.work_on(&delivery).await;
            }
        }
    }

    async fn work_on(&mut self, delivery: &Arc<Delivery>) {
        let outcome = self.take(delivery).await;
        self.under_way.remove(delivery);
        match outcome {
            Ok(Taken::Waits) => {}
            Ok(Taken::In(with)) => {
                let others = with.iter().filter(|other| other.sequence != delivery.sequence);
                for delivery in others.chain([delivery]) {
                    self.attempts.forget(delivery.sequence);
                    delivery.done().await;
                }
            }
            Err(failure) => self.failed(delivery, failure).await,
        }
    }

    async fn take(&mut self, delivery: &Arc<Delivery>) -> Result<Taken, Failure> {
        let event = delivery.event().map_err(Failure::Fault)?;
        let taking = AssertUnwindSafe(self.core.take(&event, delivery, &mut self.waiting)).catch_unwind();
        taking.await.unwrap_or_else(|_| {
            // Perhaps over something that was waiting. All of it comes again.
            self.waiting = Waiting::default();
            Err(Failure::Handler("it panicked".into()))
        })
    }

    async fn failed(&mut self, delivery: &Delivery, failure: Failure) {
        let (subject, sequence) = (delivery.subject(), delivery.sequence);
        match failure {
            Failure::Fault(fault) => self.park(delivery, fault).await,
            Failure::Away(error) => {
                tracing::warn!(subject, sequence, error, "an event waits, since what it needs is away");
                delivery.again(self.core.options.pause).await;
            }
            Failure::Incomplete { fragment } => {
                // Another instance may hold the rest, and what is given back comes to each in turn. If all did so at the same time,
                // they might miss each other for ever: so the first one stays for longer, and the others look for it.
                let at_least = if fragment == 1 { self.core.options.ack_wait } else { Duration::ZERO };
                self.failed_with(delivery, at_least, |_| Fault::Incomplete).await;
            }
            Failure::Handler(error) => {
                let error = error.to_string();
                self.failed_with(delivery, Duration::ZERO, |attempts| Fault::Handler { attempts, error }).await;
            }
            Failure::Refused(error) => {
                let (code, error) = (error.code(), error.to_string());
                self.failed_with(delivery, Duration::ZERO, |attempts| Fault::Refused { attempts, code, error }).await;
            }
        }
    }

    /// Counts an attempt. After the last one, the event is parked.
    async fn failed_with(&mut self, delivery: &Delivery, at_least: Duration, fault: impl FnOnce(u32) -> Fault) {
        let (subject, sequence) = (delivery.subject(), delivery.sequence);
        let attempts = self.attempts.count(sequence);
        let fault = fault(attempts);
        if attempts >= self.core.options.attempts {
            return self.park(delivery, fault).await;
        }
        tracing::warn!(subject, sequence, %fault, "an event was not taken in and is tried again");
        delivery.again(self.pause(attempts).max(at_least)).await;
    }

    /// The pause after some attempts.
    fn pause(&self, attempts: u32) -> Duration {
        self.core.options.pause.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
    }

    /// Puts an event away. Its account stays where it is: the next event of it shows a gap, which the log fills.
    async fn park(&mut self, delivery: &Delivery, fault: Fault) {
        let message = delivery.message();
        let parked = Parked {
            consumer: self.core.options.name.clone(),
            fault,
            subject: message.subject.to_string(),
            sequence: delivery.sequence,
            headers: message.headers.clone().unwrap_or_default(),
            data: message.payload.to_vec(),
        };
        let Parked { fault, subject, sequence, .. } = &parked;
        if let Err(error) = self.core.parking.park(&parked).await {
            tracing::error!(subject, sequence, %fault, error, "an event cannot be taken in, and not be parked either");
            return delivery.again(self.core.options.pause).await;
        }
        tracing::error!(subject, sequence, %fault, "an event was parked");
        self.core.counts.parked();
        self.core.handler.parked(&parked);
        self.attempts.forget(*sequence);
        self.waiting.forget(*sequence);
        delivery.done_for_good().await;
    }
}
