//! The consumers of `examples/`, killed and lied to: what they keep is what the log says.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::HeaderMap;
use futures::StreamExt as _;

use crate::support::follower::{Follower, Kind, campaign, example};
use crate::support::nats::Nats;
use crate::support::pb::settings::UnassignedOverdue;
use crate::support::proxy::{Mode, Proxy};
use crate::support::stream::{Message, STREAM, complete, read};
use crate::support::*;

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2", "L3", "L4"]).await;
    account
}

/// Some of everything that changes owners.
async fn change_much(account: &Account) {
    account.assign("L1", "anna").ok().await;
    account.bulk([to("L1", "ben"), to("L2", "anna"), to("L3", "ben")]).ok().await;
    account.unassign("L2").ok().await;
    account.forget(["L3"]).ok().await;
    account.leads(["L3"]).await;
}

fn publishing(nats: &Nats) -> Setup {
    one_replica().set("events.url", nats.url()).set("events.poll_interval", "100ms").set("events.ack_timeout", "2s")
}

/// Publishes messages once more, as they were.
async fn publish_again(nats: &Nats, messages: &[Message]) {
    let jetstream = nats.jetstream().await;
    for message in messages {
        let mut headers = HeaderMap::new();
        // Without the conditions that it was published on.
        for (name, value) in message.headers.iter().filter(|(name, _)| !name.starts_with("Nats-")) {
            headers.insert(name.as_str(), value.as_str());
        }
        let (subject, data) = (message.subject.clone(), message.data.clone());
        jetstream.publish_with_headers(subject, headers, data).await.unwrap().await.unwrap();
    }
}

/// Takes all messages of an account from the stream but the last ones.
async fn lose_all_but(nats: &Nats, account: &Account, last: u64) {
    let stream = nats.jetstream().await.get_stream(STREAM).await.unwrap();
    let subject = format!("leadflip.ownership.v1.changes.{}", account.id);
    let purged = stream.purge().filter(subject).keep(last).await.unwrap();
    assert!(purged.purged > 0);
}

/// Until the broker knows that everything was taken in.
async fn all_acknowledged(follower: &Follower, nats: &Nats) {
    let none = async || (follower.unacknowledged(nats).await == 0).then_some(());
    eventually("everything is acknowledged", none).await;
}

/// A table is what the log says, whenever its program ends, whatever comes twice, and whatever the stream loses.
async fn a_table_is_the_fold_of_the_log(kind: Kind) {
    let nats = Nats::start();
    let proxy = Proxy::before(&nats.url());
    publishing(&nats)
        .check(async |world| {
            let account = team(world).await;
            let mut follower = Follower::start(kind, world.url(0), proxy.url());
            change_much(&account).await;
            follower.has_all_of(world, &account).await;
            for _ in 0..2 {
                // Between its transaction and its acknowledgement.
                proxy.set(Mode::LoseAcks);
                change_much(&account).await;
                follower.has_all_of(world, &account).await;
                assert!(follower.unacknowledged(&nats).await > 0);
                follower.kill();
                proxy.set(Mode::Pass);
                change_much(&account).await;
                follower.restart();
                follower.has_all_of(world, &account).await;
                // After both.
                all_acknowledged(&follower, &nats).await;
                follower.kill();
                change_much(&account).await;
                follower.restart();
                follower.has_all_of(world, &account).await;
            }
            let messages = complete(world, &nats).await;
            publish_again(&nats, &messages).await;
            all_acknowledged(&follower, &nats).await;
            follower.has_all_of(world, &account).await;
            follower.kill();
            change_much(&account).await;
            let last = account.assign("L2", "ben").ok().await.revision;
            let published = async || {
                let messages = read(&nats).await;
                (messages.last()?.event.last_revision == last).then_some(())
            };
            eventually("the last change is published", published).await;
            lose_all_but(&nats, &account, 1).await;
            follower.restart();
            follower.has_all_of(world, &account).await;
        })
        .await;
}

#[tokio::test]
async fn the_table_of_the_campaign_service_is_the_fold_of_the_log() {
    a_table_is_the_fold_of_the_log(Kind::Campaign).await;
}

#[tokio::test]
async fn the_table_of_a_consumer_in_python_is_the_fold_of_the_log() {
    a_table_is_the_fold_of_the_log(Kind::Python).await;
}

/// The durable consumer is gone with its stream, and comes again with another one.
async fn a_stream_that_is_created_anew_is_followed(kind: Kind) {
    let nats = Nats::start();
    publishing(&nats)
        .check(async |world| {
            let account = team(world).await;
            let follower = Follower::start(kind, world.url(0), &nats.url());
            follower.has_all_of(world, &account).await;
            nats.jetstream().await.delete_stream(STREAM).await.unwrap();
            change_much(&account).await;
            follower.has_all_of(world, &account).await;
        })
        .await;
}

#[tokio::test]
async fn the_campaign_service_follows_a_stream_that_is_created_anew() {
    a_stream_that_is_created_anew_is_followed(Kind::Campaign).await;
}

#[tokio::test]
async fn a_consumer_in_python_follows_a_stream_that_is_created_anew() {
    a_stream_that_is_created_anew_is_followed(Kind::Python).await;
}

/// A database that was put back, a stream that goes on, and a bulk in fragments while nobody looks.
async fn an_account_of_another_history_is_taken_up_anew(kind: Kind) {
    let nats = Nats::start();
    let mut world = publishing(&nats).start();
    let account = team(&world).await;
    world.stay();
    let mut follower = Follower::start(kind, world.url(0), &nats.url());
    change_much(&account).await;
    follower.has_all_of(&world, &account).await;
    follower.kill();
    let many: Vec<String> = (0..1_000).map(|number| format!("M{number}")).collect();
    account.register(many.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
    account.bulk(many.iter().map(|id| to(id, "anna")).collect::<Vec<_>>()).ok().await;
    complete(&world, &nats).await;
    follower.restart();
    follower.has_all_of(&world, &account).await;
    world.replicas[0].kill();
    world.sql().await.run("update store_meta set value = 'elsewhere' where key = 'history_id'").await;
    world.restart(0);
    let account = account.through(&world, 0);
    change_much(&account).await;
    follower.has_all_of(&world, &account).await;
    world.verify().await;
}

#[tokio::test]
async fn the_campaign_service_takes_an_account_of_another_history_up_anew() {
    an_account_of_another_history_is_taken_up_anew(Kind::Campaign).await;
}

#[tokio::test]
async fn a_consumer_in_python_takes_an_account_of_another_history_up_anew() {
    an_account_of_another_history_is_taken_up_anew(Kind::Python).await;
}

/// What is to be sent: the leads of each digest, by its id.
type Digests = BTreeMap<String, BTreeSet<String>>;

/// Gives leads to two members at once, so that both are to be told, and does what nobody is to be told of.
async fn notify_much(account: &Account, history: &str, expected: &mut Digests) {
    let leads: Vec<String> = (0..600).map(|number| format!("N{number}")).collect();
    let owner = |number: usize, shift: usize| ["anna", "ben"][(number + shift) % 2];
    for shift in 0..2 {
        let items: Vec<_> = leads.iter().enumerate().map(|(number, id)| to(id, owner(number, shift))).collect();
        let bulk = account.bulk(items).with(|request| request.notify_new_owner = Some(true)).ok().await;
        for member in ["anna", "ben"] {
            let theirs = leads.iter().enumerate().filter(|(number, _)| owner(*number, shift) == member);
            let id = format!("{}.{history}.{}.{member}", account.id, bulk.revision);
            expected.insert(id, theirs.map(|(_, lead)| lead.clone()).collect());
        }
        account.assign("L1", owner(0, shift)).ok().await;
    }
    account.unassign("L1").ok().await;
}

/// Waits until everything is sent, and nothing else.
async fn has_sent(follower: &Follower, expected: &Digests) {
    let sent = async || {
        let names = std::fs::read_dir(follower.file("outbox")).ok()?.map(|entry| entry.unwrap().file_name());
        let names: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.iter().eq(expected.keys()).then_some(())
    };
    eventually("all digests are sent", sent).await;
    for (id, leads) in expected {
        let text = std::fs::read_to_string(follower.file("outbox").join(id)).unwrap();
        let digest: serde_json::Value = serde_json::from_str(&text).unwrap();
        let told: BTreeSet<String> = serde_json::from_value(digest["leads"].clone()).unwrap();
        let to = id.rsplit('.').next().filter(|to| *to != NOBODY);
        assert_eq!((&told, digest["to"].as_str()), (leads, to), "{id}");
    }
}

/// Who gets the alerts, in their ids.
const NOBODY: &str = "_nobody";

/// The alerts to the leads that the stream tells of.
async fn alerts(nats: &Nats) -> Digests {
    let mut alerts = Digests::new();
    for Message { event, overdue, .. } in read(nats).await {
        for lead in overdue {
            let id = format!("{}.{}.{}.{NOBODY}", event.account_id, event.history_id, lead.revision);
            alerts.entry(id).or_default().insert(lead.lead_id);
        }
    }
    alerts
}

/// Registers leads that nobody owns, and waits until so many alerts are due. All of them.
async fn neglect<const N: usize>(account: &Account, leads: [&str; N], nats: &Nats, count: usize) -> Digests {
    account.leads(leads).await;
    eventually("leads are overdue", async || (alerts(nats).await.len() >= count).then_some(())).await;
    alerts(nats).await
}

#[tokio::test]
async fn leads_that_nobody_owns_are_alerted_to_once_whenever_the_notification_service_ends() {
    let nats = Nats::start();
    let proxy = Proxy::before(&nats.url());
    publishing(&nats)
        .check(async |world| {
            let account = world.account();
            let after = UnassignedOverdue::UnassignedOverdueAfter(duration(1));
            account.set_settings(pb::Settings { unassigned_overdue: Some(after), ..Default::default() }).ok().await;
            let mut follower = Follower::start(Kind::Notification, world.url(0), proxy.url());
            has_sent(&follower, &neglect(&account, ["L1", "L2"], &nats, 1).await).await;
            // Between its transaction and its acknowledgement.
            proxy.set(Mode::LoseAcks);
            has_sent(&follower, &neglect(&account, ["L3"], &nats, 2).await).await;
            assert!(follower.unacknowledged(&nats).await > 0);
            follower.kill();
            proxy.set(Mode::Pass);
            follower.restart();
            all_acknowledged(&follower, &nats).await;
            // After both; what comes meanwhile comes twice.
            follower.kill();
            let expected = neglect(&account, ["L4"], &nats, 3).await;
            publish_again(&nats, &complete(world, &nats).await).await;
            follower.restart();
            all_acknowledged(&follower, &nats).await;
            has_sent(&follower, &expected).await;
        })
        .await;
}

#[tokio::test]
async fn each_person_is_told_once_of_each_bulk_whenever_the_notification_service_ends() {
    let nats = Nats::start();
    let proxy = Proxy::before(&nats.url());
    publishing(&nats)
        .check(async |world| {
            let account = team(world).await;
            account.register((0..600).map(|number| lead(&format!("N{number}"))).collect::<Vec<_>>()).ok().await;
            let history = account.changes().ok().await.history_id;
            let mut expected = Digests::new();
            let mut follower = Follower::start(Kind::Notification, world.url(0), proxy.url());
            notify_much(&account, &history, &mut expected).await;
            has_sent(&follower, &expected).await;
            // Between its transaction and its acknowledgement.
            proxy.set(Mode::LoseAcks);
            notify_much(&account, &history, &mut expected).await;
            has_sent(&follower, &expected).await;
            assert!(follower.unacknowledged(&nats).await > 0);
            follower.kill();
            proxy.set(Mode::Pass);
            notify_much(&account, &history, &mut expected).await;
            follower.restart();
            has_sent(&follower, &expected).await;
            // After both; what comes meanwhile comes twice, and most of it is lost.
            all_acknowledged(&follower, &nats).await;
            follower.kill();
            notify_much(&account, &history, &mut expected).await;
            let messages = complete(world, &nats).await;
            publish_again(&nats, &messages).await;
            lose_all_but(&nats, &account, 2).await;
            follower.restart();
            all_acknowledged(&follower, &nats).await;
            has_sent(&follower, &expected).await;
        })
        .await;
}

/// Events that nobody can take in are put away with an alarm, and the account goes on.
async fn what_cannot_be_taken_in_is_parked(kind: Kind) {
    let nats = Nats::start();
    publishing(&nats)
        .check(async |world| {
            let account = team(world).await;
            let follower = Follower::start(kind, world.url(0), &nats.url());
            follower.has_all_of(world, &account).await;
            let good = complete(world, &nats).await.remove(0);
            let labelled = |name: &str, value: &str| {
                let mut bad = good.clone();
                bad.headers.insert(name.to_owned(), value.to_owned());
                bad
            };
            let elsewhere = Message { subject: good.subject.replace(&account.id, "another"), ..good.clone() };
            let unreadable = Message { data: b"\xff".as_slice().into(), ..good.clone() };
            let version = labelled("ce-type", "leadflip.ownership.v2.OwnersChanged");
            let stranger = labelled("ce-source", "/somebody/else");
            publish_again(&nats, &[version, stranger, elsewhere, unreadable]).await;
            all_acknowledged(&follower, &nats).await;
            let log = follower.log();
            let alarms = log.lines().filter(|line| line.contains("ERROR") && line.contains("was parked")).count();
            assert_eq!((alarms, follower.parked().await), (4, 4), "{log}");
            account.assign("L1", "ben").ok().await;
            follower.has_all_of(world, &account).await;
        })
        .await;
}

#[tokio::test]
async fn the_campaign_service_parks_what_it_cannot_take_in_and_goes_on() {
    what_cannot_be_taken_in_is_parked(Kind::Campaign).await;
}

#[tokio::test]
async fn a_consumer_in_python_parks_what_it_cannot_take_in_and_goes_on() {
    what_cannot_be_taken_in_is_parked(Kind::Python).await;
}

#[tokio::test]
async fn a_campaign_of_100_000_leads_keeps_the_senders_of_its_start() {
    let nats = Nats::start();
    // Nobody checks it afterwards: to ask for every one of so many leads would take longer than everything else.
    let world = publishing(&nats).start();
    let account = world.account();
    account.members(["anna", "ben"]).await;
    let register = |thousand: usize| {
        let owner = ["anna", "ben"][thousand % 2];
        let leads = (0..1_000).map(|number| owned(&format!("L{thousand:02}{number:03}"), owner));
        account.register(leads.collect::<Vec<_>>()).ok()
    };
    futures::stream::iter((0..100).map(register)).buffer_unordered(8).count().await;
    let follower = Follower::start(Kind::Campaign, world.url(0), &nats.url());
    let preview = async || {
        let shown = campaign(&follower, &["preview", "--account", &account.id]);
        (String::from_utf8_lossy(&shown.stdout) == "   50000  anna\n   50000  ben\n").then_some(())
    };
    eventually("the table has all leads", preview).await;
    let run = |verb| {
        let output = campaign(&follower, &[verb, "spring", "--account", &account.id, "--server", world.url(0)]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let revision = account.revision().await;
    assert_eq!(run("start"), format!("spring: 100000 recipients at revision {revision}\n"));
    let taken: Vec<_> = (0..1_000).map(|number| to(&format!("L00{number:03}"), "ben")).collect();
    account.bulk(taken).ok().await;
    account.deactivate("anna").ok().await;
    assert_eq!(run("check"), "spring: 100000 recipients, 0 with another sender\n");
}

#[test]
fn each_example_says_what_it_is_for() {
    for name in ["campaign", "notification"] {
        let help = example(name).arg("--help").output().unwrap();
        assert!(help.status.success() && !help.stdout.is_empty(), "{help:?}");
    }
    let elsewhere = tempfile::TempDir::new().unwrap();
    let mut follow = example("campaign");
    let nobody = follow.args(["follow", "--account", "acme.>"]).current_dir(&elsewhere).output().unwrap();
    let told = String::from_utf8_lossy(&nobody.stderr);
    assert!(!nobody.status.success() && told.contains("\"acme.>\" is no account"), "{told}");
}
