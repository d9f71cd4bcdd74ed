//! What is next for an account: an event follows, was seen, or shows that something is missing.

use std::sync::Arc;

use ownership_proto::v1::{ErrorReason as Reason, OverdueLead, OwnerChange};

use super::delivery::Delivery;
use super::event::{Event, Fault, Told};
use super::failure::Failure;
use super::handler::{Applied, Beginning, Handler, Position, Start, StartOver, Step};
use super::waiting::{Gathered, Waiting};
use super::{Core, log};
use crate::Error;

/// How often an event is looked at anew because somebody else has moved its account meanwhile.
const PATIENCE: usize = 16;

/// What became of an event.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is in the table, and so are these.
    In(Vec<Arc<Delivery>>),
    /// It waits for the rest of its revision.
    Waits,
}

/// How an event stands to what was seen of its account.
enum Next {
    Seen,
    OtherHistory,
    Gap,
    Follows,
}

fn next(position: &Position, event: &Event) -> Next {
    match &event.previous {
        previous if previous.history_id != position.history_id => Next::OtherHistory,
        _ if event.last <= position.revision => Next::Seen,
        previous if previous.revision > position.revision => Next::Gap,
        _ => Next::Follows,
    }
}

impl<H: Handler> Core<H> {
    /// Takes an event in.
    pub(super) async fn take(
        &self,
        event: &Event,
        delivery: &Arc<Delivery>,
        waiting: &mut Waiting,
    ) -> Result<Taken, Failure> {
        let account_id = &event.account_id;
        let gathered = waiting.gather(event, delivery);
        for _ in 0..PATIENCE {
            let Some(position) = self.position(account_id).await? else {
                self.begin(account_id, &event.previous, None).await?;
                continue;
            };
            match next(&position, event) {
                Next::Seen => {
                    self.counts.seen();
                    return Ok(Taken::In(waiting.take_until(account_id, event.last)));
                }
                Next::OtherHistory => {
                    if self.is_over(&position, event).await? {
                        waiting.forget(delivery.sequence);
                        return Ok(Taken::In(Vec::new()));
                    }
                }
                Next::Gap => self.close_gap(&position, event, waiting).await?,
                Next::Follows => match &gathered {
                    Gathered::More => return Ok(Taken::Waits),
                    Gathered::Again => return Err(Failure::Incomplete { fragment: event.fragment }),
                    Gathered::InTheLog => self.repair(account_id, &position, event.last).await?,
                    Gathered::Whole(whole) => {
                        if self.apply_event(&position, whole).await? == Applied::Done {
                            return Ok(Taken::In(waiting.take_until(account_id, event.last)));
                        }
                    }
                },
            }
        }
        Err(outpaced())
    }

    /// Comes nearer to what an event follows. What only the stream has is not passed over, if it is here.
    async fn close_gap(&self, position: &Position, event: &Event, waiting: &mut Waiting) -> Result<(), Failure> {
        let (account_id, until) = (&event.account_id, event.previous.revision);
        let Some(missing) = waiting.only_here(account_id, position, until) else {
            return self.repair(account_id, position, until).await;
        };
        if missing.previous.revision > position.revision {
            return self.repair(account_id, position, missing.previous.revision).await;
        }
        let applied = self.apply_event(position, &missing).await;
        if let Err(Failure::Handler(_)) = &applied {
            // It is counted when it comes itself, and is not to hold up for ever what follows it.
            waiting.take_until(account_id, missing.last);
        }
        applied.map(drop)
    }

    /// Brings an account up to date from the service alone.
    pub(super) async fn catch_up(&self, account_id: &str) -> Result<(), Failure> {
        let head = log::head(&self.client, account_id).await?;
        for _ in 0..PATIENCE {
            match self.position(account_id).await? {
                None => self.begin(account_id, &head, None).await?,
                Some(position) if position.history_id != head.history_id => {
                    self.begin(account_id, &head, Some((position, StartOver::OtherHistory))).await?;
                }
                Some(position) if position.revision >= head.revision => return Ok(()),
                Some(position) => self.repair(account_id, &position, head.revision).await?,
            }
        }
        Err(outpaced())
    }

    /// An event of another history than what was seen: either is over. If it is the event's, it has nothing to say any more; else the
    /// account is taken up anew.
    async fn is_over(&self, position: &Position, event: &Event) -> Result<bool, Failure> {
        match log::present_history(&self.client, &event.account_id, position).await {
            Err(error) if error.reason() == Some(Reason::HistoryMismatch) => {
                let given_up = (position.clone(), StartOver::OtherHistory);
                self.begin(&event.account_id, &event.previous, Some(given_up)).await?;
                Ok(false)
            }
            // A position that is refused for another reason is one of the present history.
            Err(error) if StartOver::told_by(&error).is_none() => Err(error.into()),
            _ => {
                tracing::warn!(account = event.account_id, "an event of a history that is over is passed over");
                self.counts.seen();
                Ok(true)
            }
        }
    }

    /// Takes an account up: with a list, or with what comes after `here`.
    async fn begin(
        &self,
        account_id: &str,
        here: &Position,
        given_up: Option<(Position, StartOver)>,
    ) -> Result<(), Failure> {
        // Nothing was published before the first event, so there is nothing to list.
        let new = here.revision == 0 && given_up.is_none();
        let (to, leads) = match H::BEGINNING {
            Beginning::List if !new => log::owners(&self.client, account_id).await?,
            Beginning::List | Beginning::Here => (here.clone(), Vec::new()),
        };
        let (from, why) = given_up.unzip();
        if let Some(why) = why {
            tracing::warn!(account = account_id, ?why, revision = to.revision, "an account is taken up anew");
            self.counts.started_over();
        }
        let start = Start { account_id: account_id.to_owned(), from, to, leads, why };
        // If somebody else was faster, the next look at the position shows it.
        self.handler.begin(&start).await.map(drop).map_err(|error| self.of_handler(error))
    }

    /// Applies what the log has after a position, up to a revision.
    async fn repair(&self, account_id: &str, position: &Position, until: i64) -> Result<(), Failure> {
        let mut at = position.clone();
        let mut log = log::Log::between(&self.client, account_id, position, until);
        loop {
            let changes = match log.more().await {
                Ok(changes) => changes,
                Err(error) => return self.cannot_repair(account_id, &at, until, error).await,
            };
            let last = changes.as_ref().and_then(|changes| changes.last()).map(|change| change.revision);
            let to = Position { revision: last.unwrap_or(until), ..at.clone() };
            let step = Step {
                account_id: account_id.to_owned(),
                from: at,
                to: to.clone(),
                changes: changes.unwrap_or_default(),
                overdue: Vec::new(),
            };
            if step.from != step.to && self.apply(&step).await? == Applied::Outrun {
                return Ok(());
            }
            if last.is_none() {
                self.counts.repaired();
                tracing::info!(account = account_id, from = position.revision, to = until, "a gap was repaired");
                return Ok(());
            }
            at = to;
        }
    }

    /// The log does not have what is missing. If it is because it does not have the position either, the account is taken up anew.
    async fn cannot_repair(&self, account_id: &str, at: &Position, until: i64, error: Error) -> Result<(), Failure> {
        let Some(why) = StartOver::told_by(&error) else { return Err(error.into()) };
        let head = error.metadata("head_revision").and_then(|head| head.parse().ok()).unwrap_or_default();
        if why == StartOver::InFuture && at.revision <= head {
            return Err(Failure::Fault(Fault::UnknownToTheLog { head }));
        }
        let here = Position { revision: until, ..at.clone() };
        self.begin(account_id, &here, Some((at.clone(), why))).await
    }

    async fn position(&self, account_id: &str) -> Result<Option<Position>, Failure> {
        // Depends on no event, so it is none that this fails because of.
        self.handler.position(account_id).await.map_err(|error| Failure::Away(error.into()))
    }

    async fn apply_event(&self, position: &Position, event: &Event) -> Result<Applied, Failure> {
        let applied = self.apply(&step(position, event)).await?;
        if applied == Applied::Done {
            self.counts.applied();
        }
        Ok(applied)
    }

    async fn apply(&self, step: &Step) -> Result<Applied, Failure> {
        self.handler.apply(step).await.map_err(|error| self.of_handler(error))
    }

    fn of_handler(&self, error: H::Error) -> Failure {
        let away = self.handler.is_away(&error);
        if away { Failure::Away(error.into()) } else { Failure::Handler(error.into()) }
    }
}

fn outpaced() -> Failure {
    Failure::Away("others move the account faster than it can be followed".into())
}

/// The step that an event is, as far as it was not seen.
fn step(position: &Position, event: &Event) -> Step {
    let after = position.revision;
    let (changes, overdue): (Vec<OwnerChange>, Vec<OverdueLead>) = match &event.told {
        Told::Changes(changes) => (changes.iter().filter(|it| it.revision > after).cloned().collect(), Vec::new()),
        Told::Overdue(leads) => (Vec::new(), leads.iter().filter(|it| it.revision > after).cloned().collect()),
    };
    Step { account_id: event.account_id.clone(), from: position.clone(), to: event.end(), changes, overdue }
}
