//! What consumers park because it cannot be taken in, and what they do not: the consumer library, and the examples.

use async_nats::HeaderMap;
use ownership_client::{ConsumerOptions, ParkingStream};
use prost::Message as _;

use crate::support::consumer::{INDIGESTIBLE, Scene, Troubles, options};
use crate::support::follower::{Follower, Kind};
use crate::support::issuer::{Issuer, KeyFile, claims};
use crate::support::nats::Nats;
use crate::support::stream::{STREAM, complete};
use crate::support::*;

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2", INDIGESTIBLE]).await;
    account
}

#[tokio::test]
async fn what_the_handler_does_not_get_done_is_parked_and_holds_up_nobody_else() {
    let scene = Scene::new();
    scene.table.troubles.lock().squeamish = true;
    scene
        .setup()
        .check(async |world| {
            let (sick, well) = (team(world).await, world.account());
            well.members(["anna", "ben"]).await;
            well.leads(["L1"]).await;
            complete(world, &scene.nats).await;
            // One lane: the two share it.
            let running = scene.consume(world, ConsumerOptions { lanes: 1, ..options() }).await;
            eventually("it is parked", async || (scene.parked().len() == 1).then_some(())).await;
            assert_eq!(scene.parked(), ["it was tried 3 times: it is too much"]);
            well.assign("L1", "anna").ok().await;
            scene.table.has_all_of(world, &well).await;
            // Once the cause is gone, the next event brings what was parked along.
            scene.table.troubles.lock().squeamish = false;
            sick.assign("L1", "ben").ok().await;
            scene.table.has_all_of(world, &sick).await;
            let counts = running.stop().await;
            assert_eq!((counts.parked, counts.repaired), (1, 1));
        })
        .await;
}

#[tokio::test]
async fn an_account_whose_last_event_is_parked_can_be_brought_up_to_date() {
    let scene = Scene::new();
    scene.table.troubles.lock().squeamish = true;
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let running = scene.consume(world, options()).await;
            eventually("it is parked", async || (scene.parked().len() == 1).then_some(())).await;
            assert!(running.consumer.catch_up(&account.id).await.is_err());
            scene.table.troubles.lock().squeamish = false;
            running.consumer.catch_up(&account.id).await.unwrap();
            scene.table.has_all_of(world, &account).await;
            running.stop().await;
        })
        .await;
}

#[tokio::test]
async fn a_database_of_the_handler_that_is_away_is_waited_for() {
    let scene = Scene::new();
    // Far more often than an event is tried.
    *scene.table.troubles.lock() = Troubles { unreadable: 8, locked: 8, ..Troubles::default() };
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let running = scene.consume(world, options()).await;
            scene.table.has_all_of(world, &account).await;
            assert_eq!((running.stop().await.parked, scene.parked().len()), (0, 0));
        })
        .await;
}

#[tokio::test]
async fn events_of_an_account_that_the_service_refuses_are_parked_and_hold_up_no_other() {
    let (scene, issuer) = (Scene::new(), Issuer::new("one"));
    scene
        .setup()
        .trusting(&KeyFile::of(&[&issuer]), &issuer.service())
        .check(async |world| {
            let (foreign, mine) = (team(world).await, team(world).await);
            scene.change_one_by_one(world, &foreign, 5).await;
            // Without the beginning of the account in the stream, the service is asked for it.
            let stream = scene.nats.jetstream().await.get_stream(STREAM).await.unwrap();
            stream.purge().filter(format!("leadflip.ownership.v1.changes.{}", foreign.id)).keep(4).await.unwrap();
            mine.assign("L1", "anna").ok().await;
            let token = issuer.token(&claims("service", mine.id.as_str()));
            let few = ConsumerOptions { max_ack_pending: 2, ..options() };
            let running = scene.consume_as(token, world, few).await;
            scene.table.has_all_of(world, &mine).await;
            eventually("all are parked", async || (scene.parked().len() >= 4).then_some(())).await;
            for fault in scene.parked() {
                let expected = "it was tried 3 times, and the service answers PermissionDenied: ACCOUNT_NOT_ALLOWED";
                assert!(fault.starts_with(expected), "{fault}");
            }
            running.stop().await;
            assert!(scene.table.kept(&foreign).is_none());
            // Once the cause is gone, the next event brings what was parked along.
            let running = scene.consume_as(issuer.service(), world, options()).await;
            foreign.assign("L2", "ben").ok().await;
            scene.table.has_all_of(world, &foreign).await;
            running.stop().await;
        })
        .await;
}

fn headers(of_type: &str, source: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-type", of_type);
    headers.insert("ce-source", source);
    headers
}

#[tokio::test]
async fn events_of_somebody_else_of_another_version_and_of_nobody_are_parked_and_their_accounts_go_on() {
    let scene = Scene::new();
    let owners = "leadflip.ownership.v1.OwnersChanged";
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let message = complete(world, &scene.nats).await.remove(0);
            let (source, good) = (&message.headers["ce-source"], &message.event);
            let of = |change: fn(&mut pb::OwnersChanged)| with(good.clone(), change).encode_to_vec();
            let poison = [
                (HeaderMap::new(), good.encode_to_vec(), "it is no CloudEvent"),
                (headers("leadflip.ownership.v2.OwnersChanged", source), good.encode_to_vec(), "its type is"),
                (headers(owners, source), b"\xff".to_vec(), "its data cannot be read"),
                (headers(owners, "/somebody/else"), good.encode_to_vec(), "it is not from the ownership service"),
                (headers(owners, source), of(|it| it.account_id = ">".to_owned()), "it stands under"),
                (headers(owners, source), of(|it| it.account_id = "a.*".to_owned()), "it stands under"),
                (headers(owners, source), of(|it| it.account_id = "zeta".to_owned()), "it stands under"),
                (headers(owners, source), of(|it| it.fragment = 2), "it contradicts itself"),
                (headers(owners, source), of(far_ahead), "the log ends at revision"),
            ];
            let running = scene.consume(world, options()).await;
            scene.table.has_all_of(world, &account).await;
            for (headers, data, _) in &poison {
                scene.publish(&account, headers.clone(), data.clone()).await;
            }
            eventually("all are parked", async || (scene.parked().len() == poison.len()).then_some(())).await;
            for (parked, (_, _, expected)) in scene.parked().iter().zip(&poison) {
                assert!(parked.starts_with(expected), "{parked}, not {expected}");
            }
            account.assign("L1", "ben").ok().await;
            scene.table.has_all_of(world, &account).await;
            let known: Vec<String> = scene.table.accounts.lock().keys().cloned().collect();
            assert_eq!(known, [account.id], "no other account was begun");
            running.stop().await;
        })
        .await;
}

/// Makes an event one that follows what has not happened.
fn far_ahead(event: &mut pb::OwnersChanged) {
    let change = pb::OwnerChange { revision: 1_000, ..Default::default() };
    (event.previous_revision, event.first_revision, event.last_revision) = (999, 1_000, 1_000);
    event.changes = vec![change];
}

#[tokio::test]
async fn what_is_parked_in_a_stream_is_there_once_as_it_was() {
    use ownership_client::{Fault, Parked, Parking as _};
    let nats = Nats::start();
    let context = nats.jetstream().await;
    let parking = ParkingStream { context: context.clone(), stream: "PARKED".to_owned() };
    let mut headers = headers("odd", "/here");
    // As the service publishes.
    headers.insert("Nats-Expected-Last-Subject-Sequence", "6");
    headers.insert("ce-id", "acme.1-1.1");
    let parked = Parked {
        consumer: "test".to_owned(),
        fault: Fault::UnknownType("two\r\nlines".to_owned()),
        subject: "leadflip.ownership.v1.changes.acme".to_owned(),
        sequence: 7,
        headers,
        data: b"data".to_vec(),
    };
    for _ in 0..2 {
        parking.park(&parked).await.unwrap();
    }
    let mut stream = context.get_stream("PARKED").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
    let kept = stream.get_last_raw_message_by_subject("PARKED.test").await.unwrap();
    assert_eq!((&kept.payload[..], kept.headers.get("ce-type").unwrap().as_str()), (&b"data"[..], "odd"));
    assert_eq!(kept.headers.get("Parked-From").unwrap().as_str(), "leadflip.ownership.v1.changes.acme#7");
    // A stream that was put back has another event in the same place.
    let mut other = parked.clone();
    other.headers.insert("ce-id", "acme.2-2.1");
    parking.park(&other).await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 2);
}

/// Nothing is wrong with what cannot be written down because somebody else keeps the database for longer than is waited for it.
async fn a_database_that_somebody_else_keeps_is_waited_for(kind: Kind) {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let follower = Follower::start(kind, world.url(0), &scene.nats.url());
            follower.has_all_of(world, &account).await;
            let kept = follower.lock().await;
            account.assign("L1", "ben").ok().await;
            let waits = |line: &str| line.contains("waits") && line.contains("database is locked");
            eventually("it waits", async || follower.log().lines().any(waits).then_some(())).await;
            drop(kept);
            follower.has_all_of(world, &account).await;
            assert_eq!(follower.parked().await, 0);
        })
        .await;
}

#[tokio::test]
async fn the_campaign_service_waits_for_a_database_that_somebody_else_keeps() {
    a_database_that_somebody_else_keeps_is_waited_for(Kind::Campaign).await;
}

#[tokio::test]
async fn a_consumer_in_python_waits_for_a_database_that_somebody_else_keeps() {
    a_database_that_somebody_else_keeps_is_waited_for(Kind::Python).await;
}
