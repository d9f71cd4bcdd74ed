//! A broker that loses what it has acknowledged. It is noticed, and the stream becomes complete again by itself.

use std::time::Duration;

use crate::support::nats::Nats;
use crate::support::stream::{Message, STREAM, complete, read};
use crate::support::*;

/// Runs a test over accounts that are published, then checks them.
async fn with_accounts(setup: Setup, nats: &mut Nats, body: impl AsyncFnOnce(&mut World, &[Account], &mut Nats)) {
    let mut world = setup.set("events.url", nats.url()).set("events.ack_timeout", "2s").start();
    let accounts: Vec<Account> = (0..20).map(|_| world.account()).collect();
    for account in &accounts {
        account.members(["anna", "ben"]).await;
        account.leads(["L1", "L2"]).await;
        pass_around(account, 3).await;
    }
    complete(&world, nats).await;
    body(&mut world, &accounts, nats).await;
    world.verify().await;
}

async fn pass_around(account: &Account, times: usize) {
    for round in 0..times {
        account.assign("L1", ["anna", "ben"][round % 2]).ok().await;
    }
}

/// Waits until the stream is complete again; says how often it was said to have lost something.
async fn mended(world: &World, nats: &Nats, how: &str) -> (Vec<Message>, usize) {
    let messages = complete(world, nats).await;
    let mut warnings = 0;
    for replica in &world.replicas {
        let log = replica.log();
        let told = log.lines().filter(|line| line.contains("has lost events") && line.contains(how)).count();
        let counted = replica.counted("ownership_events_lost_total", how).await;
        assert_eq!(counted > 0.0, told > 0, "{counted} accounts, and {told} warnings");
        warnings += told;
    }
    (messages, warnings)
}

#[tokio::test]
async fn a_stream_that_was_purged_is_filled_again() {
    let mut nats = Nats::start();
    with_accounts(two_replicas(), &mut nats, async |world, accounts, nats| {
        let stream = nats.jetstream().await.get_stream(STREAM).await.unwrap();
        stream.purge().await.unwrap();
        pass_around(&accounts[0], 2).await;
        let (_, warnings) = mended(world, nats, "purged").await;
        assert!((1..=2).contains(&warnings), "{warnings} warnings");
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_was_deleted_is_created_anew_and_filled_again() {
    let mut nats = Nats::start();
    with_accounts(one_replica(), &mut nats, async |world, accounts, nats| {
        let last = read(nats).await.last().unwrap().sequence;
        nats.jetstream().await.delete_stream(STREAM).await.unwrap();
        pass_around(&accounts[0], 2).await;
        let (messages, warnings) = mended(world, nats, "created anew").await;
        assert_eq!(warnings, 1);
        assert!(messages[0].sequence > last, "no number comes again");
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_was_put_back_to_an_older_copy_is_brought_up_to_date() {
    let mut nats = Nats::start();
    with_accounts(two_replicas(), &mut nats, async |world, accounts, nats| {
        nats.kill();
        let copy = nats.copy();
        nats.restart();
        // Each change has an event of its own, and shares one when it is published again.
        for owner in ["ben", "anna"] {
            for account in &accounts[..10] {
                account.through(world, 1).assign("L1", owner).ok().await;
            }
            complete(world, nats).await;
        }
        // What was published is out of the outbox: nothing but the loss has it published again.
        eventually("the outbox is empty", async || (outbox(world).await == 0).then_some(())).await;
        nats.kill();
        nats.put_back(&copy);
        nats.restart();
        let (_, warnings) = mended(world, nats, "put back").await;
        assert!((1..=2).contains(&warnings), "{warnings} warnings");
        // The stream ends before where it once did, and what was mended is not missed again: who starts looks first.
        eventually("the outbox is empty again", async || (outbox(world).await == 0).then_some(())).await;
        (0..world.replicas.len()).for_each(|replica| world.restart(replica));
        pass_around(&accounts[0].through(world, 0), 2).await;
        let (_, warnings) = mended(world, nats, "put back").await;
        assert_eq!(warnings, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_lost_of_one_account_is_published_again() {
    let mut nats = Nats::start();
    with_accounts(one_replica(), &mut nats, async |world, accounts, nats| {
        // What is still in it is published again in any case, and not told of.
        eventually("the outbox is empty", async || (outbox(world).await == 0).then_some(())).await;
        let stream = nats.jetstream().await.get_stream(STREAM).await.unwrap();
        let subject = format!("leadflip.ownership.v1.changes.{}", accounts[3].id);
        stream.purge().filter(subject).await.unwrap();
        let (_, warnings) = mended(world, nats, "deleted").await;
        assert_eq!(warnings, 1);
    })
    .await;
}

#[tokio::test]
async fn what_has_only_grown_too_old_is_not_published_again_and_its_chain_goes_on() {
    let mut nats = Nats::start();
    with_accounts(one_replica(), &mut nats, async |world, accounts, nats| {
        eventually("the outbox is empty", async || (outbox(world).await == 0).then_some(())).await;
        // All but one were published longer ago than the stream keeps anything.
        let (old, young) = (&accounts[0], &accounts[1]);
        let longer_ago = "update published set published_at = published_at - 1300000000000";
        world.sql().await.run(format!("{longer_ago} where account_id <> '{}'", young.id)).await;
        let stream = nats.jetstream().await.get_stream(STREAM).await.unwrap();
        stream.purge().await.unwrap();
        let next = old.assign("L1", "ben").ok().await.revision;
        let of = |messages: &[Message], account: &Account| {
            let own = messages.iter().filter(|message| message.event.account_id == account.id);
            own.map(|message| (message.event.previous_revision, message.event.last_revision)).collect::<Vec<_>>()
        };
        let messages = eventually("the young one is published again", async || {
            let messages = read(nats).await;
            (!of(&messages, young).is_empty() && !of(&messages, old).is_empty()).then_some(messages)
        })
        .await;
        assert_eq!(of(&messages, old), [(next - 1, next)]);
        assert_eq!(of(&messages, young).first(), Some(&(0, of(&messages, young)[0].1)));
        assert!(
            messages.iter().all(|message| [&old.id, &young.id].contains(&&message.event.account_id)),
            "{messages:#?}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_had_grown_too_old_for_a_stream_that_was_deleted_is_not_missed_in_the_next_one() {
    let mut nats = Nats::start();
    with_accounts(one_replica(), &mut nats, async |world, accounts, nats| {
        eventually("the outbox is empty", async || (outbox(world).await == 0).then_some(())).await;
        let young = &accounts[1];
        let longer_ago = "update published set published_at = published_at - 1300000000000";
        world.sql().await.run(format!("{longer_ago} where account_id <> '{}'", young.id)).await;
        nats.jetstream().await.delete_stream(STREAM).await.unwrap();
        let told = |log: &str| log.lines().filter(|line| line.contains("has lost events")).count();
        eventually("one is missed", async || (told(&world.replicas[0].log()) > 0).then_some(())).await;
        eventually("it is mended", async || (outbox(world).await == 0).then_some(())).await;
        assert!(read(nats).await.iter().all(|message| message.event.account_id == young.id));
        assert_eq!(told(&world.replicas[0].log()), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_lost_while_no_server_runs_is_found_when_one_starts() {
    let mut nats = Nats::start();
    with_accounts(one_replica(), &mut nats, async |world, _, nats| {
        world.replicas[0].terminate();
        world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
        let stream = nats.jetstream().await.get_stream(STREAM).await.unwrap();
        stream.purge().await.unwrap();
        world.restart(0);
        let (_, warnings) = mended(world, nats, "purged").await;
        assert_eq!(warnings, 1);
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_of_the_broker_stops_nothing_but_publishing_until_there_is_room() {
    let mut nats = Nats::start_configured("jetstream { store_dir: \"STORE\", max_file_store: 300KB }");
    let mut world = one_replica()
        .set("events.url", nats.url())
        .set("events.ack_timeout", "2s")
        .set("log.trim_interval", "1h")
        .start();
    let account = world.account();
    account.members(["anna", "ben"]).await;
    let ids: Vec<String> = (0..1_000).map(|number| format!("L{number}")).collect();
    account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
    for round in 0..4 {
        let owner = ["anna", "ben"][round % 2];
        account.bulk(ids.iter().map(|id| to(id, owner)).collect::<Vec<_>>()).reason(&"x".repeat(300)).ok().await;
    }
    let replica = &world.replicas[0];
    let told = async || replica.log().contains("changes are not published, and wait kind=\"refused\"").then_some(());
    eventually("it is told", told).await;
    assert!(replica.counted("ownership_events_failures_total", "kind=\"refused\"").await > 0.0);
    let revision = account.assign("L0", "anna").ok().await.revision;
    account.watch().earliest().open().await.until(revision).await;
    assert_eq!(account.owner_of("L0").await.as_deref(), Some("anna"));
    nats.configure("jetstream { store_dir: \"STORE\" }");
    nats.restart();
    complete(&world, &nats).await;
    world.verify().await;
}

/// How many accounts wait to be published.
async fn outbox(world: &World) -> i64 {
    world.sql().await.number("select count(*) from outbox").await
}
