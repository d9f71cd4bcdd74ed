//! What is no longer kept.

use crate::support::nats::Nats;
use crate::support::*;

/// Keeps changes for a second; a test can then wait until the floor has risen.
fn short() -> Setup {
    short_lived(one_replica())
}

fn short_lived(setup: Setup) -> Setup {
    setup.set("log.history_retention", "1s").set("log.catch_up_retention", "1s").set("log.trim_interval", "100ms")
}

/// Waits until the floor is the present revision.
async fn risen(account: &Account) -> i64 {
    let head = account.revision().await;
    eventually("the floor rises", async || {
        let started = account.watch().earliest().open().await.started;
        (started.floor_revision == head).then_some(head)
    })
    .await
}

#[tokio::test]
async fn a_position_before_the_floor_is_refused_with_the_valid_range() {
    short()
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            account.assign("L1", "anna").ok().await;
            let floor = risen(&account).await;
            let calls = [
                account.watch().after(0).refused().await,
                account.changes().with(|it| it.after_revision = 1).refused().await,
                account.owner("L1").at_revision(0).refused().await,
                account.owners(["L1"]).at_revision(0).refused().await,
                account.senders(["L1"]).at_revision(0).refused().await,
                account.owner("L1").at_time(at(0)).refused().await,
            ];
            for refusal in calls {
                refusal.is("POSITION_TOO_OLD").says("head_revision", 3).says("floor_revision", floor);
            }
            let start = account.watch().since(at(0)).refused().await.is("POSITION_TOO_OLD");
            assert!(start.number("floor_revision") >= floor);
            assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"), "the present is never trimmed");
        })
        .await;
}

#[tokio::test]
async fn what_lies_above_the_floor_can_still_be_watched_and_listed() {
    short()
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            let floor = risen(&account).await;
            let mut watching = account.watch().after(floor).open().await;
            let revision = account.assign("L1", "anna").ok().await.revision;
            let heard = watching.until(revision).await;
            assert_eq!(heard.last().map(|change| change.revision), Some(revision));
        })
        .await;
}

#[tokio::test]
async fn the_floor_itself_can_be_asked_for_while_it_rises() {
    short()
        .check(async |world| {
            let account = world.account();
            account.members(["anna", "ben"]).await;
            account.register([owned("L1", "ben")]).ok().await;
            let mut owners = std::collections::BTreeMap::new();
            let mut answered = std::collections::BTreeSet::new();
            eventually("three floors in a row of changes", async || {
                let owner = ["anna", "ben"][owners.len() % 2];
                let revision = account.assign("L1", owner).ok().await.revision;
                owners.insert(revision, owner);
                let floor = account.watch().earliest().open().await.started.floor_revision;
                // The floor may have risen again before it is asked for.
                if let (Some(owner), Ok(then)) = (owners.get(&floor), account.owner("L1").at_revision(floor).await) {
                    assert_eq!(then.ownership.unwrap().owner_id.as_deref(), Some(*owner), "at the floor {floor}");
                    assert!(revision > floor, "there are changes above it");
                    answered.insert(floor);
                }
                (answered.len() >= 3).then_some(())
            })
            .await;
        })
        .await;
}

#[tokio::test]
async fn a_restarted_replica_finds_its_book_although_the_log_is_trimmed() {
    short()
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.register([owned("L1", "anna"), lead("L2")]).ok().await;
            risen(&account).await;
            world.restart(0);
            let account = account.through(world, 0);
            assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
            assert_eq!(account.assign("L2", "anna").ok().await.outcome(), Outcome::Assigned);
        })
        .await;
}

#[tokio::test]
async fn a_request_id_that_has_been_dropped_is_a_new_request() {
    one_replica()
        .set("log.request_retention", "1s")
        .set("log.trim_interval", "100ms")
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            let id = uuid::Uuid::new_v4().to_string();
            let assign = account.assign("L1", "anna").once(&id);
            assert!(!assign.clone().ok().await.replayed);
            let answer = eventually("the id is dropped", async || {
                let answer = assign.clone().ok().await;
                (!answer.replayed).then_some(answer)
            });
            assert_eq!(answer.await.outcome(), Outcome::Unchanged);
        })
        .await;
}

#[tokio::test]
async fn a_replica_that_was_away_longer_than_the_log_is_kept_loads_anew() {
    short_lived(two_replicas())
        .check(async |world| {
            let account = world.account();
            account.members(["anna", "ben"]).await;
            let away = world.replicas.len() - 1;
            let there = account.through(world, away);
            there.revision().await;
            if away > 0 {
                world.replicas[away].pause();
            }
            account.register([owned("A", "anna"), owned("B", "anna")]).ok().await;
            account.assign("A", "ben").ok().await;
            // What is left of the registration is B: the log has no gap, and lacks A.
            risen(&account).await;
            account.assign("B", "ben").ok().await;
            if away > 0 {
                world.replicas[away].resume();
            }
            assert_eq!(there.owner_of("A").await.as_deref(), Some("ben"));
            let again = there.register([lead("A")]).ok().await;
            assert_eq!(again.results[0].outcome(), Outcome::Unchanged, "it is known");
        })
        .await;
}

#[tokio::test]
async fn history_is_trimmed_of_an_account_that_went_quiet() {
    short()
        .set("log.catch_up_retention", "100ms")
        .check(async |world| {
            let account = world.account();
            account.leads(["L1"]).await;
            let update = pb::LeadUpdate {
                lead_id: "L1".to_owned(),
                observed_at: Some(at(now())),
                closed: Some(true),
                ..Default::default()
            };
            let last = account.update([update]).ok().await.revision;
            assert_eq!(risen(&account).await, last);
            let present = now();
            // The clock of SQLite has milliseconds: until the next one, this moment lies ahead of it.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            let there = account.owner("L1").at_time(at(present)).await;
            assert!(there.is_ok(), "the present can be asked for: {there:?}");
        })
        .await;
}

#[tokio::test]
async fn what_is_not_published_is_kept_until_it_is() {
    let mut nats = Nats::start();
    nats.kill();
    let setup = short().set("log.request_retention", "1s").set("events.url", nats.url());
    let world = setup.start();
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1"]).await;
    for round in 0..6 {
        account.assign("L1", ["anna", "ben"][round % 2]).ok().await;
    }
    // Request ids are forgotten first: when the second one is gone that is as old as the changes, those were looked at.
    for _ in 0..2 {
        account.upsert([member("cem")]).once(&uuid::Uuid::new_v4().to_string()).ok().await;
        let sql = world.sql().await;
        eventually("it is forgotten", async || (sql.number("select count(*) from request").await == 0).then_some(()))
            .await;
    }
    nats.restart();
    eventually("all of it is published", async || {
        let messages = stream::read(&nats).await;
        let changes: usize = messages.iter().map(|message| message.event.changes.len()).sum();
        (changes == 7).then_some(())
    })
    .await;
    risen(&account).await;
}
