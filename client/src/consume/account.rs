//! What is next for an account: an event follows, was seen, or shows that something is missing.

use std::collections::HashMap;
use std::sync::Arc;

use ownership_proto::v1::{ErrorReason as Reason, OverdueLead, OwnerChange};

use super::delivery::Delivery;
use super::event::{Event, Fault, Told};
use super::failure::Failure;
use super::handler::{Applied, Beginning, Handler, Position, Start, StartOver, Step};
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

/// Fragments of a revision, as many as are there.
#[derive(Debug)]
pub(super) struct Fragments {
    revision: i64,
    told: Told,
    deliveries: Vec<Arc<Delivery>>,
}

/// The fragments of all accounts that wait for more.
pub(super) type Waiting = HashMap<String, Fragments>;

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
        mut event: Event,
        delivery: &Arc<Delivery>,
        waiting: &mut Waiting,
    ) -> Result<Taken, Failure> {
        for _ in 0..PATIENCE {
            let Some(position) = self.position(&event.account_id).await? else {
                self.begin(&event.account_id, &event.previous, None).await?;
                continue;
            };
            match next(&position, &event) {
                Next::Seen => {
                    self.counts.seen();
                    return Ok(Taken::In(gathered(waiting, &event)));
                }
                Next::OtherHistory => {
                    if let Some(present) = self.moved_on(&position, &event).await? {
                        return Ok(present);
                    }
                }
                Next::Gap => {
                    let until = event.previous.revision;
                    self.repair(&event.account_id, &position, until).await?;
                }
                Next::Follows if event.fragments > 1 => match gather(waiting, event, delivery) {
                    Gathered::More => return Ok(Taken::Waits),
                    Gathered::Whole(whole) => event = whole,
                    Gathered::Torn(torn) if matches!(torn.told, Told::Overdue(_)) => {
                        return Err(Failure::Fault(Fault::Incomplete));
                    }
                    Gathered::Torn(torn) => {
                        self.repair(&torn.account_id, &position, torn.last).await?;
                        event = torn;
                    }
                },
                Next::Follows => {
                    let step = step(&position, &event);
                    if self.apply(&step).await? == Applied::Done {
                        self.counts.applied();
                        return Ok(Taken::In(gathered(waiting, &event)));
                    }
                }
            }
        }
        Err(outpaced())
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

    /// An event of another history than what was seen: either is over. If it is the event's, it has nothing to say any more.
    async fn moved_on(&self, position: &Position, event: &Event) -> Result<Option<Taken>, Failure> {
        match log::present_history(&self.client, &event.account_id, position).await {
            Err(error) if error.reason() == Some(Reason::HistoryMismatch) => {
                let given_up = (position.clone(), StartOver::OtherHistory);
                self.begin(&event.account_id, &event.previous, Some(given_up)).await?;
                Ok(None)
            }
            // A position that is refused for another reason is one of the present history.
            Err(error) if StartOver::told_by(&error).is_none() => Err(error.into()),
            _ => {
                tracing::warn!(account = event.account_id, "an event of a history that is over is passed over");
                self.counts.seen();
                Ok(Some(Taken::In(Vec::new())))
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

/// What fragments come to.
enum Gathered {
    More,
    Whole(Event),
    /// One is missing, or comes again because the rest did not come in time.
    Torn(Event),
}

/// Puts a fragment to those that are there.
fn gather(waiting: &mut Waiting, event: Event, delivery: &Arc<Delivery>) -> Gathered {
    let fragments = waiting.entry(event.account_id.clone()).or_insert_with(|| Fragments::none(&event));
    if fragments.revision != event.last {
        *fragments = Fragments::none(&event);
    }
    let expected = fragments.deliveries.len() + 1;
    if usize::try_from(event.fragment) != Ok(expected) {
        return Gathered::Torn(event);
    }
    if event.fragment < event.fragments {
        fragments.deliveries.push(Arc::clone(delivery));
        fragments.told.extend(event.told);
        return Gathered::More;
    }
    // What was gathered stays: should the handler fail, the last fragment alone comes again.
    let mut told = fragments.told.clone();
    told.extend(event.told);
    Gathered::Whole(Event { fragments: 1, fragment: 1, told, ..event })
}

/// The messages whose fragments have been waiting for this.
fn gathered(waiting: &mut Waiting, event: &Event) -> Vec<Arc<Delivery>> {
    let over = waiting.get(&event.account_id).is_some_and(|fragments| fragments.revision <= event.last);
    let fragments = if over { waiting.remove(&event.account_id) } else { None };
    fragments.map(|fragments| fragments.deliveries).unwrap_or_default()
}

impl Fragments {
    fn none(event: &Event) -> Self {
        let told = match event.told {
            Told::Changes(_) => Told::Changes(Vec::new()),
            Told::Overdue(_) => Told::Overdue(Vec::new()),
        };
        Self { revision: event.last, told, deliveries: Vec::new() }
    }
}

impl Told {
    /// Adds what the next fragment tells, which is of the same kind.
    fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::Changes(all), Self::Changes(more)) => all.extend(more),
            (Self::Overdue(all), Self::Overdue(more)) => all.extend(more),
            (all, more) => *all = more,
        }
    }
}
