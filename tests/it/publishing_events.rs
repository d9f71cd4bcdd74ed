//! Publishing: every change of an owner reaches the stream, once and in order.
//!
//! `support/stream.rs` reads the stream and compares it with the log, change by change.

use std::time::Duration;

use async_nats::jetstream;

use crate::support::events::disagreements;
use crate::support::nats::Nats;
use crate::support::proxy::{Mode, Proxy};
use crate::support::stream::{STREAM, complete, read};
use crate::support::*;

trait Publishes {
    fn to(self, url: &str) -> Setup;
}

impl Publishes for Setup {
    /// Publishes to the broker at this address, and looks for what others left a little more often than usual.
    fn to(self, url: &str) -> Setup {
        self.set("events.url", url).set("events.poll_interval", "100ms").set("events.ack_timeout", "2s")
    }
}

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2", "L3"]).await;
    account
}

/// Gives L1 to one and the other in turn.
async fn pass_around(account: &Account, times: usize) {
    for round in 0..times {
        account.assign("L1", ["anna", "ben"][round % 2]).reason(&format!("round {round}")).ok().await;
    }
}

#[tokio::test]
async fn each_request_that_changes_an_owner_is_one_event_and_no_other_is_any() {
    let nats = Nats::start();
    two_replicas()
        .to(&nats.url())
        .check(async |world| {
            // What waits together shares an event: nothing does where each waits for the one before.
            let published = async || drop(complete(world, &nats).await);
            let account = team(world).await;
            published().await;
            account.assign("L1", "anna").ok().await;
            published().await;
            account.assign("L1", "anna").ok().await;
            account.upsert([member("cem")]).ok().await;
            account.bulk([to("L1", "ben"), to("L2", "anna")]).ok().await;
            published().await;
            account.unassign("L1").ok().await;
            published().await;
            account.through(world, 1).forget(["L3"]).ok().await;
            world.account().leads(["X"]).await;
            let messages = complete(world, &nats).await;
            let of_account = |id: &str| messages.iter().filter(|message| message.event.account_id == id).count();
            assert_eq!((of_account(&account.id), messages.len()), (5, 6), "{messages:#?}");
        })
        .await;
}

#[tokio::test]
async fn a_bulk_of_a_thousand_is_two_fragments() {
    let nats = Nats::start();
    one_replica()
        .to(&nats.url())
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            let ids: Vec<String> = (0..1_000).map(|number| format!("L{number}")).collect();
            account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
            account.bulk(ids.iter().map(|id| to(id, "anna")).collect::<Vec<_>>()).ok().await;
            let messages = complete(world, &nats).await;
            let shape = |message: &stream::Message| {
                (message.event.last_revision, message.event.fragment, message.event.fragment_count)
            };
            assert_eq!(messages.iter().map(shape).collect::<Vec<_>>(), [(2, 1, 2), (2, 2, 2), (3, 1, 2), (3, 2, 2)]);
        })
        .await;
}

#[tokio::test]
async fn without_a_broker_writes_go_on_and_reach_it_in_order_when_it_comes() {
    let mut nats = Nats::start();
    nats.kill();
    two_replicas()
        .to(&nats.url())
        .check(async |world| {
            let account = team(world).await;
            pass_around(&account, 50).await;
            nats.restart();
            let messages = complete(world, &nats).await;
            assert!(messages.len() < 51, "what waits together shares messages: {}", messages.len());
            nats.kill();
            pass_around(&account.through(world, 1), 10).await;
            nats.restart();
            complete(world, &nats).await;
            assert!(!world.replicas[0].log().contains("ERROR"), "{}", world.replicas[0].log());
        })
        .await;
}

#[tokio::test]
async fn what_was_written_before_there_was_a_broker_is_published_when_there_is_one() {
    check(async |world| {
        let account = team(world).await;
        pass_around(&account, 3).await;
        let nats = Nats::start();
        world.set("events.url", nats.url());
        world.restart(0);
        complete(world, &nats).await;
        pass_around(&account.through(world, 0), 3).await;
        complete(world, &nats).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_publish_the_same_account_publish_each_change_once() {
    let nats = Nats::start();
    two_replicas()
        .to(&nats.url())
        .set("events.poll_interval", "1ms")
        .check(async |world| {
            let account = team(world).await;
            let writers = (0..4).map(|replica| {
                let account = account.through(world, replica);
                async move { pass_around(&account, 50).await }
            });
            futures::future::join_all(writers).await;
            complete(world, &nats).await;
        })
        .await;
}

#[tokio::test]
async fn what_a_killed_replica_has_not_published_is_published_by_another_one() {
    let nats = Nats::start();
    two_replicas()
        .to(&nats.url())
        .check(async |world| {
            let account = team(world).await;
            for round in 0..5 {
                let account = account.through(world, 0);
                pass_around(&account, 3 + round).await;
                world.replicas[0].kill();
                if store() == Store::Postgres {
                    complete(world, &nats).await;
                }
                world.restart(0);
                complete(world, &nats).await;
            }
        })
        .await;
}

#[tokio::test]
async fn an_event_whose_acknowledgement_is_lost_is_not_published_twice() {
    let nats = Nats::start();
    let proxy = Proxy::before(&nats.url());
    one_replica()
        .to(proxy.url())
        .check(async |world| {
            let account = team(world).await;
            complete(world, &nats).await;
            for _ in 0..5 {
                proxy.set(Mode::LoseAck);
                pass_around(&account, 3).await;
                complete(world, &nats).await;
                assert_eq!(proxy.mode(), Mode::Pass, "an acknowledgement was lost");
            }
        })
        .await;
}

#[tokio::test]
async fn a_broker_that_hangs_is_noticed_and_nothing_is_lost_or_doubled() {
    let nats = Nats::start();
    let proxy = Proxy::before(&nats.url());
    one_replica()
        .to(proxy.url())
        .set("events.ack_timeout", "300ms")
        .check(async |world| {
            let account = team(world).await;
            complete(world, &nats).await;
            proxy.set(Mode::FreezeOpen);
            pass_around(&account, 5).await;
            complete(world, &nats).await;
            proxy.set(Mode::Pass);
        })
        .await;
}

#[tokio::test]
async fn a_server_that_ends_has_published_what_it_was_asked_to_write() {
    let nats = Nats::start();
    // Nobody looks into the outbox before it ends.
    let setup = one_replica().to(&nats.url()).set("events.poll_interval", "60s");
    setup
        .check(async |world| {
            let account = team(world).await;
            pass_around(&account, 20).await;
            world.replicas[0].terminate();
            let status = world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            assert!(status.success());
            let complaints = disagreements(&read(&nats).await, &world.tables().await);
            assert!(complaints.is_empty(), "{complaints:#?}");
        })
        .await;
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_a_broker_that_is_away() {
    let mut nats = Nats::start();
    one_replica()
        .to(&nats.url())
        .check(async |world| {
            let account = team(world).await;
            nats.kill();
            pass_around(&account, 3).await;
            world.replicas[0].terminate();
            let status = world.replicas[0].ended(Duration::from_secs(10)).await.expect("it exits");
            assert!(status.success());
        })
        .await;
}

/// A database that was put back to a moment before the last three changes were made of an account, and published. Another account
/// has lost nothing.
async fn put_back(world: &mut World, nats: &Nats) -> (Account, Account) {
    let (account, other) = (team(world).await, team(world).await);
    complete(world, nats).await;
    ended(world).await;
    let copy = world.database.copy();
    world.restart(0);
    pass_around(&account.through(world, 0), 3).await;
    complete(world, nats).await;
    ended(world).await;
    world.database.put_back(&copy);
    world.restart(0);
    (account.through(world, 0), other.through(world, 0))
}

/// Makes so many changes after the database was put back: nothing is published of the account until its history has a new id.
async fn is_refused_after(changes: usize, (kind, told): (&str, &str)) {
    let nats = Nats::start();
    let mut world = one_replica().to(&nats.url()).start();
    let (account, other) = put_back(&mut world, &nats).await;
    let of = async |account: &Account| {
        let messages = read(&nats).await;
        messages.iter().filter(|message| message.event.account_id == account.id).count()
    };
    let before = (of(&account).await, of(&other).await);
    for round in 0..changes {
        account.assign("L2", ["ben", "anna"][round % 2]).reason("after the loss").ok().await;
    }
    eventually(told, async || world.replicas[0].log().contains(told).then_some(())).await;
    assert!(world.replicas[0].counted("ownership_events_failures_total", kind).await > 0.0);
    other.assign("L2", "ben").ok().await;
    eventually("others are published", async || (of(&other).await > before.1).then_some(())).await;
    assert_eq!(of(&account).await, before.0, "nothing that does not follow");
    world.sql().await.run("update store_meta set value = 'another' where key = 'history_id'").await;
    world.restart(0);
    // The history of an account begins with its next change, unless one of it waits.
    other.through(&world, 0).assign("L2", "anna").ok().await;
    let tables = world.tables().await;
    let whole = async || {
        let mut messages = read(&nats).await;
        messages.retain(|message| message.event.history_id == "another");
        disagreements(&messages, &tables).is_empty().then_some(())
    };
    eventually("the new history is there as a whole", whole).await;
    world.verify().await;
}

#[tokio::test]
async fn a_database_that_was_put_back_publishes_nothing_until_its_history_has_a_new_id() {
    is_refused_after(1, ("ahead", "was published up to")).await;
}

#[tokio::test]
async fn nor_does_it_once_it_has_as_many_revisions_as_were_published_or_more() {
    for changes in [3, 5] {
        is_refused_after(changes, ("diverged", "is not the one that was published")).await;
    }
}

/// Ends the first replica as one that is told to end.
async fn ended(world: &mut World) {
    world.replicas[0].terminate();
    world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
}

/// A stream under the name of ours that differs from it.
async fn another_stream(nats: &Nats) {
    let config = jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["leadflip.ownership.v1.changes.*".to_owned()],
        max_age: Duration::from_secs(60),
        max_messages_per_subject: 1,
        ..Default::default()
    };
    nats.jetstream().await.create_stream(config).await.unwrap();
}

#[tokio::test]
async fn nothing_is_published_into_a_stream_that_differs_and_the_difference_is_named() {
    let nats = Nats::start();
    another_stream(&nats).await;
    one_replica()
        .to(&nats.url())
        .check(async |world| {
            let account = team(world).await;
            pass_around(&account, 2).await;
            let named = "max_age is 60s and must be 1209600s; max_msgs_per_subject is 1 and must be -1";
            eventually("the difference is named", async || world.replicas[0].log().contains(named).then_some(())).await;
            assert!(read(&nats).await.is_empty());
            nats.jetstream().await.delete_stream(STREAM).await.unwrap();
            complete(world, &nats).await;
        })
        .await;
}

#[tokio::test]
async fn a_broker_that_does_not_let_the_service_in_is_named_and_everything_else_is_served() {
    let nats = Nats::start_with(&["--user", "ownership", "--pass", "s3cret"]);
    let setup = one_replica().to(&nats.url()).set("events.user", "ownership").set("events.password", "wr0ng");
    setup
        .check(async |world| {
            let account = team(world).await;
            let told = async || world.replicas[0].log().contains("authorization violation").then_some(());
            eventually("it is named", told).await;
            assert!(!world.replicas[0].log().contains("wr0ng"));
            let healthy = run(&["healthcheck", "--server", world.url(0)], &[]);
            assert!(healthy.status.success(), "{healthy:?}");
            pass_around(&account, 2).await;
        })
        .await;
}
