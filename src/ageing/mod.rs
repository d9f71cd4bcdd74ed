//! Ageing: has others told of leads that nobody has owned for too long.
//!
//! Which accounts have to be looked at, an index of the database says. Whoever looks at one claims it for a while, so that other
//! replicas have something else to do; that a lead is told of once does not depend on it, since telling is a write like any other.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::context::Context;
use crate::domain::actor::{Actor, Origin, Source};
use crate::domain::caller::ITSELF;
use crate::domain::command::{Action, Command};
use crate::domain::ids::{AccountId, CallerId};
use crate::domain::outcome::Results;
use crate::domain::time::Timestamp;
use crate::ledger::{Error, Ledger};
use crate::metrics;
use crate::store::{self, ageing};

/// How often accounts are looked for.
const POLL: Duration = Duration::from_secs(1);
/// How long telling of one account may take. For so long it is claimed: if whoever did so has ended, somebody else tells then.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an account that does not fit into memory is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(600);

/// Looks again and again, for ever.
pub async fn tell_always(ledger: &Ledger) {
    let mut failing = false;
    loop {
        match tell(ledger).await {
            // There may be another one.
            Ok(true) => continue,
            Ok(false) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for leads that nobody owns");
            }
            Err(_) => {}
        }
        sleep(POLL).await;
    }
}

/// Looks at one account. Returns whether there was one.
async fn tell(ledger: &Ledger) -> Result<bool, store::Error> {
    let agenda = ageing::agenda(ledger.log()).await?;
    metrics::get().unassigned_late(agenda.late());
    if agenda.late().is_none() {
        return Ok(false);
    }
    let Some(account) = claim(ledger, agenda.now).await? else { return Ok(false) };
    match tell_of(ledger, &account, agenda.now).await {
        Ok(told) => metrics::get().unassigned_told(told),
        Err(error @ Error::TooLarge { .. }) => {
            tracing::warn!(%account, error = &error as &dyn std::error::Error, "nobody is told of its unassigned leads");
            leave_alone(ledger, &account, agenda.now).await?;
        }
        // The claim runs out.
        Err(error) => tracing::debug!(%account, error = &error as &dyn std::error::Error, "to be looked at later"),
    }
    Ok(true)
}

/// Claims an account that is to be looked at by now. One whose head somebody holds, who is writing, is left for the next time.
async fn claim(ledger: &Ledger, now: Timestamp) -> Result<Option<AccountId>, store::Error> {
    let tx = ledger.log().begin("claim_unassigned").await?;
    let account = ageing::claim(&tx, now, later(now, PATIENCE)).await?;
    tx.commit().await?;
    Ok(account)
}

async fn leave_alone(ledger: &Ledger, account: &AccountId, now: Timestamp) -> Result<(), store::Error> {
    let tx = ledger.log().begin("leave_unassigned").await?;
    ageing::look_at(&tx, account, Some(later(now, LEFT_ALONE))).await?;
    tx.commit().await
}

/// Tells of the leads of an account that are overdue, as many as one revision holds. Returns how many.
async fn tell_of(ledger: &Ledger, account: &AccountId, now: Timestamp) -> Result<usize, Error> {
    let context = Context { account: account.clone(), now, deadline: Instant::now() + PATIENCE };
    let action = Action::TellOverdue { counted_from: ledger.ageing_from() };
    let answer = ledger.write(&context, Command { origin: by_itself(), once: None, action }).await?;
    match answer.results {
        Results::Overdue { told, next: _ } => Ok(told),
        _ => Ok(0),
    }
}

/// The service does this, and nobody asked for it.
fn by_itself() -> Origin {
    let caller = CallerId::parse(ITSELF).unwrap_or_else(|why| unreachable!("{why}"));
    let actor = Actor { caller, member: None };
    Origin { actor, source: Source::System, reason: String::new(), batch: None, request: None }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.plus_micros(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
}
