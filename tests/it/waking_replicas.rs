//! Replicas wake each other over the broker. That makes them quick, and nothing depends on it.
//!
//! On SQLite, which has only ever one replica, the same holds without anybody to wake.

use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;

use crate::support::nats::Nats;
use crate::support::proxy::{Mode, Proxy};
use crate::support::stream::{STREAM, complete, read};
use crate::support::*;

const SUBJECT: &str = "leadflip.ownership.v1.wake";

/// Two replicas that never look at the log by themselves, as far as a test can tell.
fn sleepy(url: &str) -> Setup {
    let setup = two_replicas().set("events.url", url).set("events.ack_timeout", "2s");
    setup.set("watch.poll_interval", "60s").set("events.poll_interval", "60s")
}

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2"]).await;
    account
}

/// Waits until each replica listens to the others.
async fn awake(world: &World) {
    for replica in world.replicas.iter().filter(|_| store() == Store::Postgres) {
        let told = async || replica.log().contains("replicas wake each other").then_some(());
        eventually("they listen to each other", told).await;
    }
}

/// Changes what one replica has and another one watches, and has each change seen there before the next is made.
async fn seen_at_once(here: &Account, watching: &mut Watching, times: usize) {
    for round in 0..times {
        let revision = here.assign("L1", ["anna", "ben"][round % 2]).ok().await.revision;
        watching.until(revision).await;
    }
}

#[tokio::test]
async fn a_watch_sees_what_another_replica_commits_without_waiting_for_the_next_look_at_the_log() {
    let nats = Nats::start();
    sleepy(&nats.url())
        .check(async |world| {
            awake(world).await;
            let account = team(world).await;
            let mut watching = account.through(world, 1).watch().every(60).open().await;
            // Of so many, no more than one can be seen because it was time to look.
            seen_at_once(&account, &mut watching, 10).await;
            let (mut back, there) = (account.watch().every(60).open().await, account.through(world, 1));
            seen_at_once(&there, &mut back, 10).await;
        })
        .await;
}

#[tokio::test]
async fn replicas_wake_each_other_again_after_the_broker_was_away() {
    let mut nats = Nats::start();
    sleepy(&nats.url())
        .check(async |world| {
            awake(world).await;
            let account = team(world).await;
            let mut watching = account.through(world, 1).watch().every(60).open().await;
            nats.restart();
            for replica in world.replicas.iter().filter(|_| store() == Store::Postgres) {
                let again = async || (replica.log().matches("replicas wake each other").count() > 1).then_some(());
                eventually("they listen to each other again", again).await;
            }
            seen_at_once(&account, &mut watching, 5).await;
        })
        .await;
}

#[tokio::test]
async fn with_wakes_lost_a_watch_sees_everything_when_the_log_is_looked_at() {
    let nats = Nats::start();
    let proxy = Proxy::before(&nats.url());
    two_replicas()
        .set("events.url", proxy.url())
        .check(async |world| {
            awake(world).await;
            let account = team(world).await;
            let mut watching = account.through(world, 1).watch().open().await;
            for mode in [Mode::Down, Mode::Pass, Mode::FreezeOpen] {
                proxy.set(mode);
                seen_at_once(&account, &mut watching, 5).await;
            }
            proxy.set(Mode::Pass);
        })
        .await;
}

/// Says again what replicas say: twice, and a while later.
async fn echo(client: Client) {
    let mut heard = client.subscribe(SUBJECT).await.unwrap();
    while let Some(message) = heard.next().await {
        // What comes back would be said again for ever.
        if message.headers.is_some() {
            continue;
        }
        let client = client.clone();
        tokio::spawn(async move {
            for _ in 0..2 {
                let marked = async_nats::HeaderMap::from_iter([("again".parse().unwrap(), "yes".into())]);
                client.publish_with_headers(SUBJECT, marked, message.payload.clone()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
    }
}

#[tokio::test]
async fn wakes_that_come_twice_and_late_change_nothing() {
    let nats = Nats::start();
    sleepy(&nats.url())
        .check(async |world| {
            awake(world).await;
            let echo = tokio::spawn(echo(nats.client().await));
            let account = team(world).await;
            let mut watching = account.through(world, 1).watch().earliest().every(60).open().await;
            seen_at_once(&account, &mut watching, 30).await;
            echo.abort();
            complete(world, &nats).await;
        })
        .await;
}

/// What nobody honest says.
fn forged(account: &str) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        ["", "\n\n\n", "nonsense", "* 1", "> 1", "a.b 1", "'; drop table fact; -- 1", "{\"a\":1}"]
            .map(|text| text.as_bytes().to_vec())
            .into();
    all.extend([vec![0xff; 100], vec![b'a'; 500_000], "x 1 unpublished\n".repeat(20_000).into_bytes()]);
    for revision in ["-1", "0", "1", "9223372036854775807", "99999999999999999999", "1e3", ""] {
        all.push(format!("{account} {revision}\n{account} {revision} unpublished\n").into_bytes());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_wakes_and_a_flood_of_them_change_nothing() {
    let nats = Nats::start();
    two_replicas()
        .set("events.url", nats.url())
        .set("telemetry.log", "info,ownership=debug")
        .check(async |world| {
            awake(world).await;
            let account = team(world).await;
            let mut watching = account.through(world, 1).watch().earliest().open().await;
            let client = nats.client().await;
            let messages = forged(&account.id);
            let flood = tokio::spawn(async move {
                for round in 0..2_000 {
                    let unknown = format!("unknown-{round} 5\nunknown-{round} 5 unpublished\n");
                    client.publish(SUBJECT, unknown.into()).await.unwrap();
                    let forged = messages[round % messages.len()].clone();
                    client.publish(SUBJECT, forged.into()).await.unwrap();
                }
                client.flush().await.unwrap();
            });
            seen_at_once(&account, &mut watching, 50).await;
            flood.await.unwrap();
            let revision = account.assign("L2", "anna").ok().await.revision;
            watching.until(revision).await;
            // Nobody takes a revision for granted that somebody made up.
            let there = account.through(world, 1);
            let head = there.owner("L1").at_least(revision + 1).refused().await.is("POSITION_IN_FUTURE");
            head.says("head_revision", revision);
            complete(world, &nats).await;
            for replica in &world.replicas {
                assert!(!replica.log().contains("unknown-"), "what nobody uses is not loaded");
                assert!(!replica.log().contains("ERROR"), "{}", replica.log());
            }
        })
        .await;
}

/// Lets everybody do everything, but `outsider` nothing with the streams.
const WITH_AN_OUTSIDER: &str = r#"
jetstream { store_dir: "STORE" }
authorization { users: [
  { user: insider, password: s3cret }
  { user: outsider, password: s3cret, permissions: { publish: { deny: "$JS.API.>" } } }
] }
no_auth_user: insider
"#;

#[tokio::test]
async fn what_a_replica_cannot_publish_is_published_by_another_one_at_once() {
    if store() == Store::Sqlite {
        return;
    }
    let nats = Nats::start_configured(WITH_AN_OUTSIDER);
    let mut world = sleepy(&nats.url()).set("events.user", "insider").set("events.password", "s3cret").start();
    world.set("events.user", "outsider");
    world.restart(0);
    awake(&world).await;
    let account = team(&world).await;
    complete(&world, &nats).await;
    for round in 0..3 {
        account.assign("L1", ["anna", "ben"][round % 2]).ok().await;
        complete(&world, &nats).await;
    }
    assert!(world.replicas[0].log().contains("lacks a permission"), "it is the other one that publishes");
    assert!(nats.jetstream().await.get_stream(STREAM).await.is_ok() && !read(&nats).await.is_empty());
    world.verify().await;
}
