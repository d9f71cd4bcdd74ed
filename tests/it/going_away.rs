//! How a replica goes, and how connections to it end, without anybody losing anything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::support::way::counted;
use crate::support::*;

#[tokio::test]
async fn health_says_so_first_and_calls_are_accepted_for_a_while_longer() {
    one_replica()
        .set("server.drain_delay", "5s")
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            world.replicas[0].terminate();
            let left =
                async || (world.replicas[0].ask("/readyz").await == (503, "shutting down\n".to_owned())).then_some(());
            eventually("not ready", left).await;
            let unhealthy = run(&["healthcheck", "--server", world.url(0)], &[]);
            assert!(!unhealthy.status.success(), "{unhealthy:?}");
            // On a connection of its own, as somebody makes it who has not heard yet.
            account.through(world, 0).assign("L1", "anna").ok().await;
            let status = world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            assert!(status.success(), "{status:?}");
        })
        .await;
}

#[tokio::test]
async fn watches_are_sent_away_one_after_the_other_each_with_its_place_and_when_to_come_back() {
    const WATCHES: usize = 100;
    one_replica()
        .set("watch.per_caller", WATCHES)
        .set("server.drain", "4s")
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            account.assign("L1", "anna").ok().await;
            // As many connections as it takes not to run into the limit of streams of one.
            let watches = (0..WATCHES).map(|_| account.through(world, 0).watch().earliest().open());
            let mut watches = join_all(watches).await;
            join_all(watches.iter_mut().map(|watch| watch.until(3))).await;
            let told = Instant::now();
            world.replicas[0].terminate();
            let ends = join_all(watches.into_iter().map(|watch| async {
                let (position, refusal) = watch.end().await;
                (told.elapsed(), position, refusal)
            }));
            let mut after: Vec<_> = ends
                .await
                .into_iter()
                .map(|(after, position, refusal)| {
                    let refusal = refusal.is("DRAINING").says("revision", 3);
                    assert!(position == 3 && refusal.retry_after.is_some(), "{position} {refusal:?}");
                    after
                })
                .collect();
            after.sort();
            let spread = after[WATCHES - 1] - after[0];
            assert!(spread >= Duration::from_millis(500), "a hundred watches ended within {spread:?}");
            assert!(after[WATCHES - 1] < Duration::from_secs(4), "within the budget: {:?}", after[WATCHES - 1]);
            let status = world.replicas[0].ended(Duration::from_secs(10)).await.expect("it exits");
            assert!(status.success(), "{status:?}");
        })
        .await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_and_what_was_answered_stays() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.leads(["L1", "L2"]).await;
        account.assign("L1", "anna").ok().await;
        let sql = world.sql().await;
        let held = sql.hold_head(&account.id).await;
        let stuck = tokio::spawn(account.assign("L2", "anna").into_future());
        world.account().settings().ok().await;
        world.replicas[0].terminate();
        let left = async || (world.replicas[0].ask("/readyz").await.0 == 503).then_some(());
        eventually("it drains", left).await;
        assert!(world.replicas[0].is_running(), "a write is under way");
        world.replicas[0].terminate();
        let status = world.replicas[0].ended(Duration::from_secs(3)).await.expect("it exits at once");
        assert!(!status.success(), "{status:?}");
        stuck.await.unwrap().expect_err("nobody answered");
        drop(held);
        world.restart(0);
        assert_eq!(account.through(world, 0).owner_of("L1").await.as_deref(), Some("anna"));
    })
    .await;
}

#[tokio::test]
async fn an_old_connection_is_left_for_a_new_one_and_a_watch_on_it_goes_on() {
    one_replica()
        .set("server.max_connection_age", "1s")
        .check(async |world| {
            let account = world.account();
            account.members(["anna", "ben"]).await;
            account.leads(["L1"]).await;
            let ((watched, to_watch), (written, to_write)) = (counted(world.url(0)), counted(world.url(0)));
            let mut watch = Account::new(&account.id, to_watch).watch().earliest().every(1).open().await;
            let writer = Account::new(&account.id, to_write);
            let began = Instant::now();
            let mut revision = 2;
            while began.elapsed() < Duration::from_secs(4) {
                let owner = ["anna", "ben"][usize::from(revision % 2 == 0)];
                // A client that has just been asked to go may find that out with its next call, which it repeats.
                let repeated = async || writer.assign("L1", owner).once(&uuid_of(revision)).await.ok();
                revision = eventually("it is assigned", repeated).await.revision;
                watch.until(revision).await;
            }
            assert!(revision > 8, "{revision} revisions in four seconds");
            let connections = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            assert!(connections(&written) >= 3, "{written:?} connections in four seconds");
            assert_eq!(connections(&watched), 1, "that of the watch stays");
        })
        .await;
}

/// The request id of a revision.
fn uuid_of(revision: i64) -> String {
    uuid::Uuid::from_u128(revision.unsigned_abs().into()).to_string()
}
