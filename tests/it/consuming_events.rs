//! The consumer library: what it makes of messages that follow, are missing, come twice, in pieces, or late.

use std::time::Duration;

use ownership_client::{Client, Consumer, ConsumerOptions, Options, ParkingFile};

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
async fn an_account_that_takes_long_holds_up_no_other_lane_and_nothing_comes_again() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let slow = team(world).await;
            scene.change_one_by_one(world, &slow, 8).await;
            let mut others = Vec::new();
            for _ in 0..4 {
                others.push(team(world).await);
            }
            complete(world, &scene.nats).await;
            scene.table.troubles.lock().slow = Some((slow.id.clone(), options().ack_wait * 3));
            // So many that not all others share the lane.
            let running = scene.consume(world, ConsumerOptions { lanes: 16, ..options() }).await;
            let other = others.iter().map(|other| Box::pin(scene.table.has_all_of(world, other)));
            futures::future::select_all(other).await;
            let kept = scene.table.kept(&slow);
            assert!(kept.is_none_or(|kept| kept.steps.is_empty()), "the other need not wait for it");
            for account in others.iter().chain([&slow]) {
                scene.table.has_all_of(world, account).await;
            }
            let counts = running.stop().await;
            assert_eq!((counts.seen, counts.repaired, counts.parked), (0, 0, 0));
        })
        .await;
}

/// An account that takes long has all that may be under way, and so many messages more, and others come all the same.
async fn room_is_left_for_others(more: usize) {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let slow = team(world).await;
            let events = scene.change_one_by_one(world, &slow, 24).await;
            let mut others = Vec::new();
            for _ in 0..4 {
                others.push(team(world).await);
            }
            complete(world, &scene.nats).await;
            scene.table.troubles.lock().slow = Some((slow.id.clone(), Duration::from_secs(6)));
            let max_ack_pending = u16::try_from(events - more).unwrap();
            let few = ConsumerOptions { max_ack_pending, lanes: 16, ..options() };
            let running = scene.consume(world, few).await;
            let other = others.iter().map(|other| Box::pin(scene.table.has_all_of(world, other)));
            futures::future::select_all(other).await;
            let kept = scene.table.kept(&slow);
            assert!(kept.is_none_or(|kept| kept.steps.is_empty()), "the other need not wait for it");
            for account in others.iter().chain([&slow]) {
                scene.table.has_all_of(world, account).await;
            }
            let steps = scene.table.kept(&slow).unwrap().steps;
            let revisions = steps.iter().flat_map(|step| &step.changes).map(|change| change.revision);
            assert!(revisions.is_sorted(), "{steps:#?}");
            assert_eq!(running.stop().await.parked, 0);
        })
        .await;
}

#[tokio::test]
async fn an_account_that_takes_long_and_has_all_that_may_be_under_way_leaves_room_for_others() {
    room_is_left_for_others(0).await;
}

#[tokio::test]
async fn an_account_that_takes_long_and_has_more_waiting_than_may_be_under_way_leaves_room_for_others() {
    room_is_left_for_others(8).await;
}

#[tokio::test]
async fn whoever_ends_finishes_what_it_works_on_and_gives_the_rest_back() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let events = scene.change_one_by_one(world, &account, 4).await;
            scene.table.troubles.lock().slow = Some((account.id.clone(), options().ack_wait * 3));
            let ending = scene.consume(world, options()).await;
            let all = async || (scene.under_way().await? == events).then_some(());
            eventually("it has all events", all).await;
            let other = scene.consume(world, options()).await;
            let ended = ending.stop().await;
            assert_eq!((ended.applied, ended.seen), (1, 0));
            scene.table.has_all_of(world, &account).await;
            let counts = other.stop().await;
            assert_eq!((counts.applied, counts.seen), (events as u64 - 1, 0));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_share_a_consumer_apply_each_change_once_and_in_order() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = team(world).await;
            let first = scene.consume(world, options()).await;
            scene.table.has_all_of(world, &account).await;
            first.stop().await;
            // All of them wait, and are handed to both in turn once the first one is done: each has what the other one needs before.
            scene.change_one_by_one(world, &account, 60).await;
            scene.table.troubles.lock().slow = Some((account.id.clone(), Duration::from_millis(500)));
            let few = ConsumerOptions { max_ack_pending: 8, ..options() };
            let running = [scene.consume(world, few.clone()).await, scene.consume(world, few).await];
            let kept = scene.table.has_all_of(world, &account).await;
            let done = async || (scene.under_way().await? == 0).then_some(());
            eventually("everything is acknowledged", done).await;
            assert_eq!(scene.table.kept(&account).unwrap().position.revision, account.revision().await);
            let changes: Vec<_> = kept.steps.iter().flat_map(|step| &step.changes).map(|it| it.revision).collect();
            assert!(changes.is_sorted_by(|before, after| before <= after), "{changes:?}");
            let alternate = kept.steps.iter().flat_map(|step| &step.changes).filter(|it| it.lead_id == "L1");
            let owners: Vec<_> = alternate.map(|it| (it.previous_owner_id.clone(), it.owner_id.clone())).collect();
            assert!(owners.windows(2).all(|pair| pair[0].1 == pair[1].0), "{owners:?}");
            for running in running {
                let counts = running.stop().await;
                assert!(counts.applied + counts.seen > 0, "both have a part in it: {counts:?}");
                assert_eq!(counts.parked, 0);
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
