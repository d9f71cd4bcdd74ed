//! Trimming: deletes facts that no replica needs to catch up, history beyond its retention, and old request ids.

use std::time::Duration;

use tokio::time::sleep;

use super::Retention;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::store::heads::Head;
use crate::store::{self, Error, Store};

/// Accounts looked at with one statement.
const ACCOUNTS_PAGE: u64 = 200;
/// Request ids forgotten in one transaction.
const REQUESTS_PAGE: u64 = 2_000;
/// Revisions trimmed in one transaction: writers of the account wait for it.
const STEP: i64 = 2_000;

/// Trims at every interval, for ever. Several replicas may do so at once: what one has deleted, another finds gone.
pub(super) async fn trim_always(store: Store, retention: Retention, interval: Duration) {
    loop {
        sleep(interval).await;
        if let Err(error) = trim(&store, retention).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot trim the log");
        }
    }
}

async fn trim(store: &Store, retention: Retention) -> Result<(), Error> {
    let now = store::clock(store).await?;
    forget_requests(store, before(now, retention.requests)).await?;
    let mut after: Option<AccountId> = None;
    loop {
        let accounts =
            store::heads::untrimmed_after(store, after.as_ref(), retention.history.is_some(), ACCOUNTS_PAGE).await?;
        for (account, head) in &accounts {
            trim_account(store, account, head, retention, now).await?;
        }
        match accounts.into_iter().last() {
            Some((last, _)) => after = Some(last),
            None => return Ok(()),
        }
    }
}

async fn forget_requests(store: &Store, until: Timestamp) -> Result<(), Error> {
    loop {
        let tx = store.begin("forget_requests").await?;
        let forgotten = store::requests::forget_before(&tx, until, REQUESTS_PAGE).await?;
        tx.commit().await?;
        metrics::get().trimmed("request", forgotten);
        if forgotten < REQUESTS_PAGE {
            return Ok(());
        }
    }
}

async fn trim_account(
    store: &Store,
    account: &AccountId,
    head: &Head,
    retention: Retention,
    now: Timestamp,
) -> Result<(), Error> {
    let revision_before =
        async |age| store::history::revision_before(store, account, before(now, age), head.revision).await;
    let history = match retention.history {
        Some(age) => {
            let old = revision_before(age).await?;
            let done = if retention.until_published { published(store, account, old).await? } else { old };
            done.max(head.history_floor)
        }
        None => head.history_floor,
    };
    let facts = revision_before(retention.facts).await?.max(head.facts_floor).max(history);
    let mut reached = head.facts_floor.min(head.history_floor);
    while reached < facts {
        reached = Revision(reached.0 + STEP).min(facts);
        let (facts, history) = (reached.max(head.facts_floor), reached.min(history).max(head.history_floor));
        delete(store, account, facts, history).await?;
    }
    Ok(())
}

/// What of some old history need not be kept to be published.
async fn published(store: &Store, account: &AccountId, old: Revision) -> Result<Revision, Error> {
    Ok(store::outbox::published_until(store, account).await?.map_or(old, |published| old.min(published)))
}

/// Raises the floors in the transaction that deletes, so that a reader sees either the facts or a floor that says they are gone.
async fn delete(store: &Store, account: &AccountId, facts: Revision, history: Revision) -> Result<(), Error> {
    let tx = store.begin("trim").await?;
    let locked = store::heads::lock(&tx, account).await?;
    let (facts, history) = (facts.max(locked.head.facts_floor), history.max(locked.head.history_floor));
    let mut rows = tx.trim_updates(account, facts).await?;
    if history > locked.head.history_floor {
        rows += tx.trim_history(account, history).await?;
    }
    store::heads::raise_floors(&tx, account, facts, history).await?;
    tx.commit().await?;
    metrics::get().trimmed("fact", rows);
    Ok(())
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    now.minus_micros(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}
