//! Where a watch can begin, and how it can end.

use std::time::Duration;

use crate::support::*;

const ELSEWHERE: &str = "00000000-0000-4000-8000-000000000000";

async fn three(world: &World) -> Account {
    let account = world.account();
    account.members(["anna"]).await;
    account.leads(["L1"]).await;
    account.assign("L1", "anna").ok().await;
    account
}

#[tokio::test]
async fn a_watch_can_start_anywhere_up_to_the_present() {
    check(async |world| {
        let account = three(world).await;
        let first = &account.changes().ok().await.changes[0];
        let born = micros(&first.occurred_at);
        let starts = [
            (account.watch(), 3),
            (account.watch().with(|request| request.start = Some(pb::watch_owner_changes_request::Start::Now(()))), 3),
            (account.watch().earliest(), 0),
            (account.watch().after(0), 0),
            (account.watch().after(2), 2),
            (account.watch().after(3), 3),
            (account.watch().since(at(0)), 0),
            (account.watch().since(at(born)), 1),
        ];
        for (call, position) in starts {
            let asked = format!("{:?}", call.request.start);
            let watching = call.open().await;
            let heard_from = watching.started.revision;
            // By time, a start may lie on any revision before the first change it has to tell.
            let fits = heard_from == position || (asked.contains("Since") && heard_from < 2);
            assert!(fits, "{asked} starts at {heard_from}");
            assert_eq!((watching.started.head_revision, watching.started.floor_revision), (3, 0));
            assert!(!watching.started.history_id.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_watch_from_a_time_tells_what_happened_at_it_and_later() {
    check(async |world| {
        let account = three(world).await;
        let changes = account.changes().ok().await.changes;
        for change in &changes {
            let expected: Vec<_> = changes
                .iter()
                .filter(|other| micros(&other.occurred_at) >= micros(&change.occurred_at))
                .cloned()
                .collect();
            let mut watching = account.watch().since(change.occurred_at.unwrap()).open().await;
            assert_eq!(watching.until(3).await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_start_in_the_future_is_refused_with_the_valid_range() {
    check(async |world| {
        let account = three(world).await;
        for revision in [4, 1_000, i64::MAX] {
            let refusal = account.watch().after(revision).refused().await.is("POSITION_IN_FUTURE");
            refusal.says("requested", revision).says("floor_revision", 0).says("head_revision", 3);
        }
        account
            .watch()
            .since(at(now() + 3_600_000_000))
            .refused()
            .await
            .is("POSITION_IN_FUTURE")
            .says("head_revision", 3);
        account.watch().after(-1).refused().await.is("INVALID_FIELD").names(&["after_revision"]);
    })
    .await;
}

#[tokio::test]
async fn a_start_in_another_history_is_refused() {
    check(async |world| {
        let account = three(world).await;
        let history = account.watch().open().await.started.history_id;
        let refusal = account.watch().after(1).of_history(ELSEWHERE).refused().await.is("HISTORY_MISMATCH");
        refusal.says("history_id", &history).says("floor_revision", 0).says("head_revision", 3);
        account.watch().after(1).of_history(&history).open().await;
        // After a restore the revision may be anything: the history is what is wrong, and is said first.
        account.watch().after(99).of_history(ELSEWHERE).refused().await.is("HISTORY_MISMATCH");
    })
    .await;
}

#[tokio::test]
async fn silence_can_be_set_from_one_second_to_sixty() {
    check(async |world| {
        let account = three(world).await;
        for seconds in [1, 60] {
            assert_eq!(account.watch().every(seconds).open().await.started.progress_interval, Some(duration(seconds)));
        }
        for seconds in [-1, 0, 61] {
            account.watch().every(seconds).refused().await.is("INVALID_FIELD").names(&["progress_interval"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_holds_so_many_watches_and_no_more() {
    one_replica()
        .set("watch.per_caller", 2)
        .check(async |world| {
            let (account, other) = (three(world).await, world.account());
            let first = account.watch().open().await;
            let _second = other.watch().open().await;
            let refusal = account.watch().refused().await.is("WATCH_LIMIT_REACHED");
            refusal.says("limit", 2).says("scope", "caller");
            drop(first);
            eventually("a place becomes free", async || account.watch().await.ok().map(drop)).await;
        })
        .await;
}

#[tokio::test]
async fn a_replica_holds_so_many_watches_and_no_more() {
    one_replica()
        .set("watch.per_caller", 1)
        .set("watch.per_replica", 1)
        .check(async |world| {
            let account = three(world).await;
            let _first = account.watch().open().await;
            account.watch().refused().await.is("WATCH_LIMIT_REACHED").says("limit", 1).says("scope", "replica");
        })
        .await;
}

/// Bulks with long reasons: about a third of a megabyte each on the wire.
async fn flood(account: &Account, rounds: usize) {
    let ids: Vec<String> = (0..400).map(|number| format!("F{number}")).collect();
    account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
    for round in 0..rounds {
        let item = |id: &String| if round % 2 == 0 { to(id, "anna") } else { nobodys(id) };
        account.bulk(ids.iter().map(item).collect::<Vec<_>>()).reason(&"x".repeat(500)).ok().await;
    }
}

#[tokio::test]
async fn a_slow_reader_is_served_from_the_log_and_delays_nobody() {
    check(async |world| {
        let account = three(world).await;
        let mut slow = account.watch().after(3).open().await;
        let mut quick = account.watch().after(3).open().await;
        // Far more than the connection holds by itself.
        flood(&account, 30).await;
        let head = account.revision().await;
        let heard = quick.until(head).await;
        assert_eq!(heard.len(), 400 * 31);
        // Only now does the slow one read: everything is there, in order, once.
        assert_eq!(slow.until(head).await, heard);
        // A server that has just started has nothing in memory: it reads the log page by page.
        world.restart(0);
        let mut late = account.through(world, 0).watch().after(3).open().await;
        assert_eq!(late.until(head).await, heard);
    })
    .await;
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_cut_and_told_where_to_resume() {
    one_replica()
        .set("watch.send_timeout", "1s")
        .check(async |world| {
            let account = three(world).await;
            let stuck = account.watch().after(3).open().await;
            flood(&account, 12).await;
            let head = account.revision().await;
            let mut other = account.watch().after(head).every(1).open().await;
            // Two intervals of another watch are longer than the one send may be blocked.
            for _ in 0..3 {
                other.next().await.unwrap();
            }
            let (position, refusal) = stuck.end().await;
            let refusal = refusal.is("WATCH_TOO_SLOW");
            assert!(refusal.number("blocked_seconds") >= 1);
            assert_eq!(refusal.number("revision"), position, "what arrived is what was handed over");
            assert!(position < head);
            let mut resumed = account.watch().after(position).open().await;
            resumed.until(head).await;
        })
        .await;
}

#[tokio::test]
async fn a_watch_of_a_draining_replica_ends_with_the_place_to_resume() {
    two_replicas()
        .check(async |world| {
            let account = three(world).await;
            let watching = account.watch().earliest().open().await;
            let mut following = account.watch().earliest().open().await;
            following.until(3).await;
            world.replicas[0].terminate();
            let (position, refusal) = following.end().await;
            assert_eq!((refusal.is("DRAINING").number("revision"), position), (3, 3));
            drop(watching);
            let status = world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            assert!(status.success(), "{status:?}");
            world.restart(0);
            let account = account.through(world, 0);
            account.unassign("L1").ok().await;
            let mut resumed = account.watch().after(position).open().await;
            assert_eq!(resumed.until(4).await.len(), 1);
        })
        .await;
}
