//! The consumer library: overdue leads, which only the stream has, when their fragments and what comes after them are delivered again,
//! apart, or not at all.

use std::time::Duration;

use ownership_client::ConsumerOptions;

use crate::support::consumer::{Scene, options};
use crate::support::pb::settings::UnassignedOverdue;
use crate::support::stream::{STREAM, complete, read};
use crate::support::*;

/// An account with so many leads that nobody owns, of which the table has all.
async fn unowned(world: &World, scene: &Scene, leads: usize) -> Account {
    let account = world.account();
    account.members(["anna"]).await;
    account.register((0..leads).map(|number| lead(&format!("N{number}"))).collect::<Vec<_>>()).ok().await;
    let running = scene.consume(world, options()).await;
    scene.table.has_all_of(world, &account).await;
    running.stop().await;
    account
}

/// Has others told of its leads, and waits until the stream does so.
async fn neglect(account: &Account, scene: &Scene) {
    let after = UnassignedOverdue::UnassignedOverdueAfter(duration(1));
    account.set_settings(pb::Settings { unassigned_overdue: Some(after), ..Default::default() }).ok().await;
    let told = async || read(&scene.nats).await.iter().any(|message| !message.overdue.is_empty()).then_some(());
    eventually("leads are overdue", told).await;
}

/// Waits until the table has been told of so many overdue leads, all of them in one step.
async fn told_of(scene: &Scene, account: &Account, leads: usize) {
    let told = async || {
        let steps = scene.table.kept(account)?.steps;
        let told: Vec<_> = steps.iter().map(|step| step.overdue.len()).filter(|leads| *leads > 0).collect();
        (told == [leads]).then_some(())
    };
    eventually("it is told of each lead", told).await;
}

#[tokio::test]
async fn overdue_leads_in_fragments_are_one_step_when_the_database_of_the_handler_was_away_for_long() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = unowned(world, &scene, 600).await;
            // So often that the broker delivers the first fragment again meanwhile.
            scene.table.troubles.lock().locked = 150;
            let running = scene.consume(world, options()).await;
            neglect(&account, &scene).await;
            told_of(&scene, &account, 600).await;
            assert_eq!((running.stop().await.parked, scene.table.troubles.lock().locked), (0, 0));
        })
        .await;
}

#[tokio::test]
async fn overdue_leads_in_fragments_are_one_step_when_the_last_fragment_comes_first() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = unowned(world, &scene, 600).await;
            scene.table.troubles.lock().locked = u32::MAX;
            let ending = scene.consume(world, options()).await;
            neglect(&account, &scene).await;
            let tried = async || (scene.table.troubles.lock().locked < u32::MAX).then_some(());
            eventually("all fragments have come", tried).await;
            assert_eq!(ending.stop().await.applied, 0);
            scene.table.troubles.lock().locked = 0;
            // The first one comes when the broker has waited for a word about it for long enough.
            let running = scene.consume(world, options()).await;
            told_of(&scene, &account, 600).await;
            assert_eq!(running.stop().await.parked, 0);
        })
        .await;
}

#[tokio::test]
async fn overdue_leads_in_fragments_are_one_step_for_instances_that_got_one_each() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = unowned(world, &scene, 600).await;
            let running = [scene.consume(world, options()).await, scene.consume(world, options()).await];
            neglect(&account, &scene).await;
            told_of(&scene, &account, 600).await;
            for running in running {
                assert_eq!(running.stop().await.parked, 0);
            }
        })
        .await;
}

#[tokio::test]
async fn overdue_leads_that_wait_are_told_of_before_what_comes_after_them() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = unowned(world, &scene, 3).await;
            neglect(&account, &scene).await;
            account.assign("N1", "anna").ok().await;
            complete(world, &scene.nats).await;
            // Away for just the one event, which comes again after the other.
            scene.table.troubles.lock().locked = 1;
            let pause = Duration::from_millis(500);
            let running = scene.consume(world, ConsumerOptions { pause, ..options() }).await;
            let steps = scene.table.has_all_of(world, &account).await.steps;
            told_of(&scene, &account, 3).await;
            assert!(steps.is_sorted_by(|before, after| before.to == after.from), "{steps:?}");
            assert_eq!(running.stop().await.parked, 0);
        })
        .await;
}

#[tokio::test]
async fn fragments_of_overdue_leads_whose_rest_is_lost_are_parked() {
    let scene = Scene::new();
    scene
        .setup()
        .check(async |world| {
            let account = unowned(world, &scene, 600).await;
            neglect(&account, &scene).await;
            let last = async || read(&scene.nats).await.pop().filter(|last| last.event.fragment == 2).map(drop);
            eventually("all of it is published", last).await;
            let stream = scene.nats.jetstream().await.get_stream(STREAM).await.unwrap();
            stream.purge().filter(format!("leadflip.ownership.v1.changes.{}", account.id)).keep(1).await.unwrap();
            let running = scene.consume(world, options()).await;
            eventually("it is parked", async || (scene.parked().len() == 1).then_some(())).await;
            assert_eq!(scene.parked(), ["fragments of its revision are missing"]);
            account.assign("N1", "anna").ok().await;
            scene.table.has_all_of(world, &account).await;
            assert_eq!(running.stop().await.parked, 1);
        })
        .await;
}
