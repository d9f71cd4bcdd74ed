//! The release before and this one: side by side over one database, and one after the other, forwards and back.
//!
//! Which release that is, and where its program comes from, `tests/run` knows.

use std::time::Duration;

use ownership_proto::v1::settings::UnassignedOverdue;

use crate::support::fold::is_owner_change;
use crate::support::nats::Nats;
use crate::support::pb::Settings;
use crate::support::stream::{complete, read};
use crate::support::writers::{Writers, contradictions};
use crate::support::*;

const ACCOUNTS: usize = 3;
const CALLERS: usize = 8;
/// Owners that are changed while both are there.
const CHANGES: usize = 1_000;
const DRAIN: Duration = Duration::from_secs(10);

/// One replica of this release that publishes.
fn publishing(nats: &Nats) -> Setup {
    one_replica().set("events.url", nats.url()).set("events.poll_interval", "100ms")
}

/// Has the only replica end in an orderly way.
async fn leave(world: &mut World) {
    world.replicas[0].terminate();
    let status = world.replicas[0].ended(DRAIN).await.expect("it ends in time");
    assert!(status.success(), "{status:?}");
}

/// The revisions in which owners changed, by the log.
async fn owner_changes(world: &World, account: &Account) -> Vec<i64> {
    let facts = &world.tables().await.0[&account.id].facts;
    facts.iter().filter(|fact| is_owner_change(fact)).map(|fact| fact.revision).collect()
}

/// Makes every kind of change, each of which is read again at once and heard of by who watches.
async fn work(account: &Account, phase: &str) {
    let id = |number: usize| format!("{phase}-{number}");
    let mut watch = account.watch().earliest().open().await;
    account.upsert([member("anna"), pb::Member { display_name: phase.to_owned(), ..member("ben") }]).ok().await;
    account.register([owned(&id(0), "anna"), lead(&id(1)), lead(&id(2)), lead(&id(3))]).ok().await;
    account.assign(&id(1), "ben").ok().await;
    account.unassign(&id(0)).ok().await;
    account.bulk([to(&id(0), "ben"), nobodys(&id(1)), to(&id(2), "anna")]).ok().await;
    let stage = pb::LeadUpdate { lead_id: id(2), observed_at: Some(at(now())), ..Default::default() };
    account.update([pb::LeadUpdate { stage: Some(phase.to_owned()), ..stage }]).ok().await;
    let forgotten = account.forget([id(3)]).ok().await;
    let owners = [account.owner_of(&id(0)).await, account.owner_of(&id(1)).await, account.owner_of(&id(2)).await];
    assert_eq!(owners, [Some("ben".to_owned()), None, Some("anna".to_owned())]);
    watch.until(forgotten.revision).await;
}

/// Settings that only this release knows, beside one that both do.
fn settings(name: &str) -> Settings {
    let sender = pb::DefaultSender { name: name.to_owned(), email: "team@example.com".to_owned() };
    let overdue = UnassignedOverdue::UnassignedOverdueAfter(duration(1));
    Settings { default_sender: Some(sender), notify_new_owner: true, unassigned_overdue: Some(overdue) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_releases_serve_the_same_accounts_at_the_same_time() {
    if store() == Store::Sqlite {
        // One process has the file.
        return;
    }
    let nats = Nats::start();
    let mut world = publishing(&nats).start();
    world.add_previous();
    let accounts: Vec<_> = (0..ACCOUNTS).map(|_| world.account()).collect();
    let writers = Writers::start(&world, &accounts, CALLERS, now() as u64).await;
    let mut watches = Vec::new();
    for account in &accounts {
        for replica in 0..world.replicas.len() {
            watches.push((account, account.through(&world, replica).watch().earliest().open().await));
        }
    }
    eventually("owners change", async || (writers.changes() >= CHANGES).then_some(())).await;
    let told = writers.end().await;
    assert_eq!(contradictions(&told, &world.tables().await), [""; 0]);
    for (account, watch) in &mut watches {
        let changes = watch.until(account.revision().await).await;
        let heard: Vec<_> = changes.iter().map(|change| change.revision).collect();
        assert_eq!(heard, owner_changes(&world, account).await);
    }
    complete(&world, &nats).await;
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_rolled_back_and_forward_again_over_what_the_other_has_written() {
    let nats = Nats::start();
    let mut world = publishing(&nats).start();
    let account = world.account();
    work(&account, "new").await;
    account.set_settings(settings("new")).ok().await;
    account.leads(["late"]).await;
    let overdue = async || read(&nats).await.iter().any(|message| !message.overdue.is_empty()).then_some(());
    eventually("a lead is overdue", overdue).await;
    complete(&world, &nats).await;
    leave(&mut world).await;

    world.replicas.clear();
    world.add_previous();
    let back = account.through(&world, 0);
    assert_eq!(back.owner_of("new-2").await.as_deref(), Some("anna"));
    work(&back, "old").await;
    back.set_settings(settings("old")).ok().await;
    back.assign("late", "anna").ok().await;
    complete(&world, &nats).await;
    leave(&mut world).await;

    world.restart(0);
    let forward = account.through(&world, 0);
    let kept = forward.settings().ok().await.settings.unwrap();
    assert_eq!(kept.default_sender.map(|sender| sender.name).as_deref(), Some("old"));
    assert_eq!((kept.notify_new_owner, kept.unassigned_overdue), (false, None), "as the other has replaced them");
    work(&forward, "newer").await;
    complete(&world, &nats).await;
    world.verify().await;
}
