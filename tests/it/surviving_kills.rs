//! What is left after a server was killed in the middle of its work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::*;

/// Writes until the server is gone; returns what was acknowledged: reason and revision.
async fn write_until_it_dies(account: Account, name: usize, stop: Arc<AtomicBool>) -> Vec<(String, i64)> {
    let mut acknowledged = Vec::new();
    let ids: Vec<String> = (0..20).map(|number| format!("W{name}-{number}")).collect();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let reason = format!("{name}/{round}");
        let owner = ["anna", "ben"][round % 2];
        let items: Vec<_> = ids.iter().map(|id| to(id, owner)).collect();
        match account.bulk(items).reason(&reason).await {
            Ok(answer) => acknowledged.push((reason, answer.revision)),
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_change_is_there_after_kill_nine() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        let leads: Vec<_> =
            (0..4).flat_map(|name| (0..20).map(move |number| lead(&format!("W{name}-{number}")))).collect();
        account.register(leads).ok().await;
        let mut dice = Dice(42);
        for kill in 0..5 {
            let account = account.through(world, 0);
            let stop = Arc::new(AtomicBool::new(false));
            let before = account.revision().await;
            let writers: Vec<_> = (0..4)
                .map(|name| tokio::spawn(write_until_it_dies(account.through(world, 0), name, stop.clone())))
                .collect();
            let goal = before + 3 + dice.roll(15) as i64;
            eventually("some writes", async || (account.revision().await >= goal).then_some(())).await;
            tokio::time::sleep(Duration::from_micros(dice.roll(3_000) as u64)).await;
            world.replicas[0].kill();
            stop.store(true, Ordering::Relaxed);
            let mut acknowledged = Vec::new();
            for writer in writers {
                acknowledged.extend(writer.await.unwrap());
            }
            assert!(acknowledged.len() >= 3, "kill {kill} hit a server at work");
            world.restart(0);
            let account = account.through(world, 0);
            let since = account.changes().with(|request| {
                request.after_revision = before;
                request.page_size = 1_000;
            });
            let kept: BTreeSet<_> =
                account.log(since).await.into_iter().map(|change| (change.reason, change.revision)).collect();
            let unchanged = |revision: &i64| *revision <= before;
            for (reason, revision) in acknowledged.iter().filter(|(_, revision)| !unchanged(revision)) {
                let there = kept.contains(&(reason.clone(), *revision));
                // An UNCHANGED bulk names a revision of somebody else. Owners alternate: only a first round can be one.
                assert!(there || reason.ends_with("/0"), "{reason} at {revision} was acknowledged and is gone");
            }
            // Whole bulks or nothing.
            for revision in kept.iter().map(|(_, revision)| *revision).collect::<BTreeSet<_>>() {
                let span = account.changes().with(|request| {
                    request.after_revision = revision - 1;
                    request.until_revision = Some(revision);
                });
                assert_eq!(span.ok().await.changes.len(), 20);
            }
            world.verify().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_second_process_over_the_same_sqlite_file_is_refused() {
    check(async |world| {
        let account = world.account();
        account.leads(["L1"]).await;
        match (store(), world.start_another()) {
            (Store::Sqlite, Err(log)) => assert!(log.contains("another process"), "{log}"),
            (Store::Sqlite, Ok(_)) => panic!("two processes over one SQLite file"),
            (Store::Postgres, another) => {
                let another = another.expect("Postgres takes as many replicas as there are");
                let channel = world.way.to(another.url());
                assert_eq!(Account::new(&account.id, channel).owner_of("L1").await, None);
            }
        }
        assert_eq!(account.owner_of("L1").await, None, "the first one is not disturbed");
        world.restart(0);
        assert_eq!(account.through(world, 0).owner_of("L1").await, None, "a lock does not outlive its process");
    })
    .await;
}

#[tokio::test]
async fn a_book_that_is_loaded_answers_as_the_one_that_was_written() {
    check(async |world| {
        let account = world.account();
        account
            .upsert([
                pb::Member { capacity: Some(2), avatar_url: "http://x/y".to_owned(), ..member("anna") },
                member("ben"),
            ])
            .ok()
            .await;
        account
            .register([
                owned("L1", "anna"),
                lead("L2"),
                pb::NewLead { closed: true, stage: "Won".to_owned(), ..owned("L3", "ben") },
            ])
            .ok()
            .await;
        account.forget(["L2"]).ok().await;
        account.deactivate("ben").ok().await;
        let everything = async |account: &Account| {
            let list = account.list(anybody()).with(|request| {
                request.include_cards = true;
                request.include_total = true;
            });
            let members = account.picker("").with(|request| request.include_all_standings = true);
            (
                list.ok().await,
                account.counts().ok().await,
                members.ok().await,
                account.senders(["L1", "L2", "L3"]).ok().await,
            )
        };
        let before = everything(&account).await;
        world.restart(0);
        assert_eq!(everything(&account.through(world, 0)).await, before);
    })
    .await;
}
