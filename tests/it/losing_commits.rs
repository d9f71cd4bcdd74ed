//! A failover to a standby that lacks the last commits, under running replicas that have them in memory. SQLite has no standby: its
//! file cannot be replaced while the service runs.

use std::time::Duration;

use tokio::time::timeout;

use crate::support::nats::Nats;
use crate::support::stream::{complete, read};
use crate::support::*;

/// How many changes are made after the failover until somebody looks: then the log is behind what was lost, as far, or beyond.
const CHANGES: [usize; 3] = [0, 1, 2];

/// An account of which the database has lost that anna owns L1, which was ben's.
struct Lost {
    /// Through the replica that does not know what was lost.
    here: Account,
    /// Through the one that made the change.
    there: Account,
    /// On the same one. It has told the change.
    watching: Watching,
    /// The revision of the change.
    revision: i64,
}

/// Some accounts that have lost a change, with more changes or fewer made since, through the other replica.
async fn after_a_failover(world: &World) -> Vec<Lost> {
    let mut all = Vec::new();
    for _ in CHANGES {
        let here = world.account();
        here.members(["anna", "ben"]).await;
        here.register([owned("L1", "ben")]).ok().await;
        let there = here.through(world, 1);
        let watching = there.watch().every(1).open().await;
        all.push(Lost { here, there, watching, revision: 0 });
    }
    let sql = world.sql().await;
    sql.make_standby().await;
    for Lost { there, watching, revision, .. } in &mut all {
        *revision = there.assign("L1", "anna").ok().await.revision;
        watching.until(*revision).await;
    }
    sql.fail_over().await;
    for (lost, changes) in all.iter().zip(CHANGES) {
        for change in 0..changes {
            lost.here.leads([["L3", "L4"][change]]).await;
        }
    }
    all
}

/// Two replicas that look at the log only when they are asked something.
fn sleepy() -> Option<Setup> {
    (store() == Store::Postgres).then(|| two_replicas().set("watch.poll_interval", "60s"))
}

impl Lost {
    /// The watch ends, where it was.
    async fn ends(self) {
        let end = timeout(Duration::from_secs(10), self.watching.end()).await;
        let (position, refusal) = end.expect("a watch of what was lost ends");
        assert_eq!(position, self.revision);
        refusal.is("HISTORY_MISMATCH").says("floor_revision", 0);
        let list = self.there.list(anybody()).ok().await;
        self.there.watch().after(list.revision).open().await;
    }
}

#[tokio::test]
async fn a_strict_read_shows_what_the_database_has() {
    let Some(setup) = sleepy() else { return };
    setup
        .check(async |world| {
            for (lost, changes) in after_a_failover(world).await.into_iter().zip(CHANGES) {
                assert_eq!(lost.there.owner_of("L1").await.as_deref(), Some("ben"), "after {changes} changes");
                let leads = lost.there.list(anybody()).ok().await.leads;
                assert_eq!(lead_ids(&leads).len(), 1 + changes);
                lost.ends().await;
            }
            assert_eq!(world.replicas[1].counted("ownership_book_losses_total", "").await, 3.0);
            assert!(world.replicas[1].log().contains("the database was put back"));
        })
        .await;
}

#[tokio::test]
async fn a_write_is_decided_on_what_the_database_has() {
    let Some(setup) = sleepy() else { return };
    setup
        .check(async |world| {
            for (lost, changes) in after_a_failover(world).await.into_iter().zip(CHANGES) {
                let answer = lost.there.assign("L1", "anna").ok().await;
                assert_eq!(answer.outcome(), Outcome::Reassigned, "after {changes} changes");
                assert_eq!(answer.revision, lost.revision + changes as i64);
                lost.ends().await;
            }
        })
        .await;
}

#[tokio::test]
async fn a_replica_that_is_asked_nothing_notices_it_at_the_next_look_at_the_log() {
    if store() == Store::Sqlite {
        return;
    }
    two_replicas()
        .check(async |world| {
            for lost in after_a_failover(world).await {
                lost.ends().await;
            }
        })
        .await;
}

/// Makes so many changes after a failover that lost one which was published: nothing of the account is published until its history has
/// a new id.
async fn is_refused_after(changes: usize) {
    let nats = Nats::start();
    // Nobody looks into the outbox: what is remembered is what is tested.
    let mut world = one_replica().set("events.url", nats.url()).set("events.poll_interval", "60s").start();
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2"]).await;
    let sql = world.sql().await;
    complete(&world, &nats).await;
    sql.run("delete from outbox").await;
    sql.make_standby().await;
    account.assign("L1", "anna").ok().await;
    complete(&world, &nats).await;
    let before = read(&nats).await.len();
    sql.fail_over().await;
    for round in 0..changes {
        account.assign("L2", ["ben", "anna"][round % 2]).ok().await;
    }
    let told = "is not the one that was published";
    eventually(told, async || world.replicas[0].log().contains(told).then_some(())).await;
    assert!(world.replicas[0].counted("ownership_events_failures_total", "diverged").await > 0.0);
    assert_eq!(read(&nats).await.len(), before, "nothing that does not follow");
    world.verify().await;
}

#[tokio::test]
async fn nothing_is_published_behind_what_was_lost() {
    if store() == Store::Sqlite {
        return;
    }
    for changes in [1, 3, 5] {
        is_refused_after(changes).await;
    }
}
