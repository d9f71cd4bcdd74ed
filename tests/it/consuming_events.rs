//! The consumer library: what it makes of messages that follow, are missing, come twice, in pieces, or from somebody else.

use std::time::Duration;

use async_nats::HeaderMap;
use ownership_client::{Client, Consumer, ConsumerOptions, Options, ParkingFile, ParkingStream};
use prost::Message as _;

use crate::support::consumer::{INDIGESTIBLE, Scene, Table, options};
use crate::support::nats::Nats;
use crate::support::pb::settings::UnassignedOverdue;
use crate::support::stream::{STREAM, complete};
use crate::support::*;

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2", INDIGESTIBLE]).await;
    account
}

#[tokio::test]
async fn a_new_consumer_begins_with_a_list_and_goes_on_with_events() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let old = team(world).await;
            old.assign("L1", "anna").ok().await;
            complete(world, &scene.nats).await;
            let newest = ConsumerOptions { from_the_oldest: false, ..options() };
            let running = scene.consume(world, newest).await;
            running.consumer.catch_up(&old.id).await.unwrap();
            assert_eq!(scene.table.has_all_of(world, &old).await.steps, []);
            old.assign("L2", "ben").ok().await;
            let kept = scene.table.has_all_of(world, &old).await;
            assert_eq!((kept.begun, kept.steps.len()), (vec![None], 1));
            let new = team(world).await;
            scene.table.has_all_of(world, &new).await;
            running.consumer.catch_up(&new.id).await.unwrap();
            assert_eq!(running.stop().await.parked, 0);
        })
        .await;
}

#[tokio::test]
async fn a_bulk_of_a_thousand_is_one_step_also_when_a_fragment_of_it_is_lost() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let ids: Vec<String> = (0..1_000).map(|number| format!("M{number}")).collect();
            let running = scene.consume(world, options()).await;
            scene.table.has_all_of(world, &account).await;
            account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
            let kept = scene.table.has_all_of(world, &account).await;
            assert_eq!(kept.steps.last().unwrap().changes.len(), 1_000);
            running.stop().await;
            let revision = account.bulk(ids.iter().map(|id| to(id, "anna")).collect::<Vec<_>>()).ok().await.revision;
            complete(world, &scene.nats).await;
            let stream = scene.nats.jetstream().await.get_stream(STREAM).await.unwrap();
            stream.purge().filter(format!("leadflip.ownership.v1.changes.{}", account.id)).keep(1).await.unwrap();
            let running = scene.consume(world, options()).await;
            let kept = scene.table.has_all_of(world, &account).await;
            let last = kept.steps.last().unwrap();
            assert_eq!((last.changes.len(), last.to.revision), (1_000, revision));
            assert_eq!(running.stop().await.repaired, 1);
        })
        .await;
}

#[tokio::test]
async fn leads_that_nobody_owns_for_too_long_are_steps_of_the_same_chain() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let after = UnassignedOverdue::UnassignedOverdueAfter(duration(1));
            account.set_settings(pb::Settings { unassigned_overdue: Some(after), ..Default::default() }).ok().await;
            let running = scene.consume(world, options()).await;
            let overdue = async || {
                let kept = scene.table.kept(&account)?;
                let leads = kept.steps.iter().flat_map(|step| &step.overdue).map(|lead| lead.lead_id.clone());
                let mut leads: Vec<_> = leads.collect();
                leads.sort();
                (leads == [INDIGESTIBLE, "L1", "L2"]).then_some(())
            };
            eventually("each lead is told of", overdue).await;
            account.assign("L1", "anna").ok().await;
            scene.table.has_all_of(world, &account).await;
            let counts = running.stop().await;
            assert_eq!((counts.repaired, counts.parked), (0, 0));
        })
        .await;
}

#[tokio::test]
async fn what_the_handler_does_not_get_done_is_parked_and_holds_up_nobody_else() {
    let scene = Scene::new();
    *scene.table.squeamish.lock() = true;
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
            *scene.table.squeamish.lock() = false;
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
    *scene.table.squeamish.lock() = true;
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let running = scene.consume(world, options()).await;
            eventually("it is parked", async || (scene.parked().len() == 1).then_some(())).await;
            assert!(running.consumer.catch_up(&account.id).await.is_err());
            *scene.table.squeamish.lock() = false;
            running.consumer.catch_up(&account.id).await.unwrap();
            scene.table.has_all_of(world, &account).await;
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
    let parked = Parked {
        consumer: "test".to_owned(),
        fault: Fault::UnknownType("two\r\nlines".to_owned()),
        subject: "leadflip.ownership.v1.changes.acme".to_owned(),
        sequence: 7,
        headers: headers("odd", "/here"),
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_share_a_consumer_apply_each_change_once_and_in_order() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let running = [scene.consume(world, options()).await, scene.consume(world, options()).await];
            for round in 0..60 {
                account.assign("L1", ["anna", "ben"][round % 2]).ok().await;
            }
            let kept = scene.table.has_all_of(world, &account).await;
            let at_end = async || {
                let kept = scene.table.kept(&account)?;
                (kept.position.revision == account.revision().await).then_some(())
            };
            eventually("the position is that of the account", at_end).await;
            let changes: Vec<_> = kept.steps.iter().flat_map(|step| &step.changes).map(|it| it.revision).collect();
            assert!(changes.is_sorted_by(|before, after| before <= after), "{changes:?}");
            let alternate = kept.steps.iter().flat_map(|step| &step.changes).filter(|it| it.lead_id == "L1");
            let owners: Vec<_> = alternate.map(|it| (it.previous_owner_id.clone(), it.owner_id.clone())).collect();
            assert!(owners.windows(2).all(|pair| pair[0].1 == pair[1].0), "{owners:?}");
            for running in running {
                assert_eq!(running.stop().await.parked, 0);
            }
        })
        .await;
}

#[tokio::test]
async fn of_an_event_that_was_seen_in_part_only_the_rest_is_applied() {
    let mut scene = Scene::new();
    let mut world = scene.setup().start();
    let account = team(&world).await;
    let running = scene.consume(&world, options()).await;
    scene.table.has_all_of(&world, &account).await;
    scene.nats.kill();
    account.assign("L1", "anna").ok().await;
    running.consumer.catch_up(&account.id).await.unwrap();
    account.assign("L1", "ben").ok().await;
    scene.nats.restart();
    let event = complete(&world, &scene.nats).await.pop().unwrap().event;
    assert_eq!(event.first_revision + 1, event.last_revision, "one event has both");
    let kept = scene.table.has_all_of(&world, &account).await;
    let changes: Vec<_> =
        kept.steps.iter().flat_map(|step| &step.changes).map(|it| (it.revision, it.ordinal)).collect();
    assert!(changes.is_sorted_by(|before, after| before < after), "{changes:?}");
    assert_eq!(running.stop().await.parked, 0);
    world.verify().await;
}

#[tokio::test]
async fn a_stream_that_is_created_anew_is_consumed_on() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let running = scene.consume(world, options()).await;
            scene.table.has_all_of(world, &account).await;
            scene.nats.jetstream().await.delete_stream(STREAM).await.unwrap();
            account.assign("L1", "anna").ok().await;
            scene.table.has_all_of(world, &account).await;
            running.stop().await;
        })
        .await;
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let nats = Nats::start();
    let client = Client::open(["http://127.0.0.1:1"], Options::default()).await.unwrap();
    let context = nats.jetstream().await;
    let refused = |change: Change<ConsumerOptions>| {
        let parking = ParkingFile("parked".into());
        let options = with(options(), change);
        Consumer::new(client.clone(), context.clone(), Table::default(), parking, options).is_err()
    };
    assert!(!refused(|it| it.accounts = vec!["acme".to_owned()]));
    let bad: [Change<ConsumerOptions>; 8] = [
        |it| it.accounts = vec!["acme".to_owned(), "*".to_owned()],
        |it| it.accounts = vec![">".to_owned()],
        |it| it.accounts = vec!["a.b".to_owned()],
        |it| it.accounts = vec![String::new()],
        |it| it.lanes = 0,
        |it| it.attempts = 0,
        |it| it.max_ack_pending = 0,
        |it| it.ack_wait = Duration::ZERO,
    ];
    for change in bad {
        assert!(refused(change));
    }
}
