//! Following the owner changes of an account: what a watch guarantees.
//!
//! Each watch in these tests checks by itself, message by message, that the stream is ordered, unique, atomic and
//! gap-evident; see `support/watching.rs`.

use crate::support::pb::{ChangeFilter, OwnerChange};
use crate::support::*;

/// Leads that wander between two owners.
async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2", "L3"]).await;
    account
}

async fn log(account: &Account) -> Vec<OwnerChange> {
    account.log(account.changes().with(|request| request.page_size = 1_000)).await
}

#[tokio::test]
async fn a_watch_tells_every_change_from_the_beginning_and_then_live() {
    two_replicas()
        .check(async |world| {
            let account = team(world).await;
            let elsewhere = account.through(world, 1);
            let mut watching = elsewhere.watch().earliest().open().await;
            assert_eq!((watching.started.revision, watching.started.head_revision), (0, 2));
            let mut heard = watching.until(2).await;
            for round in 0..20 {
                let through = if round % 2 == 0 { &account } else { &elsewhere };
                through.assign("L1", if round % 4 < 2 { "anna" } else { "ben" }).ok().await;
            }
            account.bulk([to("L2", "anna"), to("L3", "ben")]).ok().await;
            heard.extend(watching.until(account.revision().await).await);
            assert_eq!(heard, log(&account).await);
        })
        .await;
}

#[tokio::test]
async fn a_bulk_arrives_whole_in_one_message() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let ids: Vec<String> = (0..1_000).map(|number| format!("L{number}")).collect();
        account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
        let mut watching = account.watch().after(2).open().await;
        account.bulk(ids.iter().map(|id| to(id, "anna")).collect::<Vec<_>>()).ok().await;
        let heard = loop {
            if let Heard::Changes(changes) = watching.next().await.unwrap() {
                break changes;
            }
        };
        assert_eq!((heard.len(), watching.position), (1_000, 3));
    })
    .await;
}

#[tokio::test]
async fn a_watch_resumes_on_any_replica_and_after_a_restart() {
    two_replicas()
        .check(async |world| {
            let mut account = team(world).await;
            let mut heard = Vec::new();
            let mut watching = account.watch().earliest().open().await;
            let history = watching.started.history_id.clone();
            for round in 0..3 {
                heard.extend(watching.until(account.revision().await).await);
                let position = watching.position;
                drop(watching);
                account.assign("L1", ["anna", "ben"][round % 2]).ok().await;
                world.restart(0);
                account = account.through(world, 0);
                let replica = account.through(world, round % 2);
                watching = replica.watch().after(position).of_history(&history).open().await;
                assert_eq!((watching.started.revision, &watching.started.history_id), (position, &history));
            }
            heard.extend(watching.until(account.revision().await).await);
            assert_eq!(heard, log(&account).await);
        })
        .await;
}

#[tokio::test]
async fn a_watch_that_matches_nothing_moves_on_and_resumes_from_there() {
    check(async |world| {
        let account = team(world).await;
        let nothing = ChangeFilter { owner_ids: vec!["ghost".to_owned()], ..Default::default() };
        let mut watching = account.watch().earliest().filtered(nothing.clone()).every(1).open().await;
        for round in 0..10 {
            account.assign("L1", if round % 2 == 0 { "anna" } else { "ben" }).ok().await;
        }
        assert_eq!(watching.until(12).await, []);
        let mut resumed = account.watch().after(watching.position).filtered(nothing).every(1).open().await;
        assert!(matches!(resumed.next().await.unwrap(), Heard::Progress));
        assert_eq!(resumed.position, 12);
    })
    .await;
}

#[tokio::test]
async fn revisions_that_change_no_owner_are_passed_over_live_and_in_the_log() {
    check(async |world| {
        let account = team(world).await;
        let mut live = account.watch().after(2).every(1).open().await;
        for name in ["cem", "dora", "emil"] {
            account.members([name]).await;
        }
        assert_eq!(live.until(5).await, []);
        // A server that has just started has nothing in memory: it has to read the log.
        world.restart(0);
        let account = account.through(world, 0);
        for (start, expected) in [(0, 3), (1, 3), (2, 0), (4, 0)] {
            let mut replayed = account.watch().after(start).every(1).open().await;
            assert_eq!(replayed.until(5).await.len(), expected, "after {start}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_filtered_watch_tells_exactly_what_matches() {
    check(async |world| {
        let account = team(world).await;
        let changes: [Change<ChangeFilter>; 6] = [
            |it| it.owner_ids = vec!["anna".to_owned()],
            |it| it.unassigned = true,
            |it| {
                it.unassigned = true;
                it.owner_ids = vec!["anna".to_owned()];
            },
            |it| it.lead_ids = vec!["L2".to_owned()],
            |it| it.kinds = vec![ChangeKind::Reassigned.into()],
            |it| it.sources = vec![Source::Ui.into()],
        ];
        let filters = changes.map(|change| with(ChangeFilter::default(), change));
        let mut live = Vec::new();
        for filter in &filters {
            live.push(account.watch().earliest().filtered(filter.clone()).every(1).open().await);
        }
        account.assign("L1", "anna").ok().await;
        account.bulk([to("L1", "ben"), to("L2", "anna"), to("L3", "ben")]).source(Source::Ui).ok().await;
        account.bulk([nobodys("L1"), to("L2", "ben")]).ok().await;
        account.forget(["L2", "L3"]).ok().await;
        let head = account.revision().await;
        for (filter, live) in filters.iter().zip(&mut live) {
            let listed = account.log(account.changes().with(|request| request.filter = Some(filter.clone()))).await;
            assert!(!listed.is_empty(), "{filter:?} matches something");
            assert_eq!(live.until(head).await, listed, "live: {filter:?}");
            let mut replayed = account.watch().earliest().filtered(filter.clone()).every(1).open().await;
            assert_eq!(replayed.until(head).await, listed, "from the log: {filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_watch_is_never_silent_for_longer_than_it_says() {
    check(async |world| {
        let account = team(world).await;
        let mut watching = account.watch().every(1).open().await;
        assert_eq!(watching.started.progress_interval, Some(duration(1)));
        let start = std::time::Instant::now();
        for _ in 0..3 {
            assert!(matches!(watching.next().await.unwrap(), Heard::Progress));
        }
        let silence = start.elapsed();
        assert!(silence.as_secs_f64() > 1.0 && silence.as_secs_f64() < 8.0, "three intervals took {silence:?}");
        assert_eq!(watching.position, 2);
        let unset = account.watch().open().await;
        assert_eq!(unset.started.progress_interval, Some(duration(15)));
    })
    .await;
}

#[tokio::test]
async fn six_watchers_hear_the_same() {
    two_replicas()
        .check(async |world| {
            let account = team(world).await;
            let mut watchers = Vec::new();
            for index in 0..6 {
                watchers.push(account.through(world, index).watch().earliest().open().await);
            }
            for round in 0..10 {
                account.through(world, round).assign("L1", if round % 2 == 0 { "anna" } else { "ben" }).ok().await;
            }
            let (head, truth) = (account.revision().await, log(&account).await);
            for watcher in &mut watchers {
                assert_eq!(watcher.until(head).await, truth);
            }
        })
        .await;
}
