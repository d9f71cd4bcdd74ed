//! Notification intents: whom others are to tell of a change is noted with it, and nowhere else.

use crate::support::nats::Nats;
use crate::support::pb::{ChangeFilter, NotificationIntent, OwnerChange, Settings, bulk_assign_item};
use crate::support::stream::{Message, STREAM, bytes, complete};
use crate::support::*;

/// An account with four leads, which notifies new owners by default or does not.
async fn team(world: &World, by_settings: bool) -> Account {
    let account = world.account();
    account.members(["anna", "ben", "cem"]).await;
    account.leads(["L1", "L2", "L3", "L4"]).await;
    account.set_settings(Settings { notify_new_owner: by_settings, ..Settings::default() }).ok().await;
    account
}

/// The last change of a lead: whose it is, and whether that member is to be told.
async fn last(account: &Account, lead: &str) -> (Option<String>, bool) {
    let last = account.timeline(lead).with(|request| request.newest_first = true).ok().await.changes.remove(0);
    (last.owner_id, last.notify_new_owner)
}

fn told(owner: &str) -> (Option<String>, bool) {
    (Some(owner.to_owned()), true)
}

fn not_told(owner: &str) -> (Option<String>, bool) {
    (Some(owner.to_owned()), false)
}

#[tokio::test]
async fn the_request_decides_and_where_it_does_not_the_settings_do() {
    check(async |world| {
        for by_settings in [false, true] {
            let account = team(world, by_settings).await;
            for (asked, expected) in [(None, by_settings), (Some(true), true), (Some(false), false)] {
                let assign = account.assign("L1", "anna").with(|request| request.notify_new_owner = asked);
                assign.clone().ok().await;
                assert_eq!(last(&account, "L1").await, (Some("anna".to_owned()), expected), "{by_settings} {asked:?}");
                let claim = account.assign("L2", "ben").if_unassigned();
                claim.with(|request| request.notify_new_owner = asked).ok().await;
                assert_eq!(last(&account, "L2").await, (Some("ben".to_owned()), expected), "{by_settings} {asked:?}");
                let bulk = account.bulk([to("L3", "cem"), nobodys("L1"), nobodys("L2")]);
                bulk.with(|request| request.notify_new_owner = asked).ok().await;
                assert_eq!(last(&account, "L3").await, (Some("cem".to_owned()), expected), "{by_settings} {asked:?}");
                assert_eq!(last(&account, "L1").await, (None, false), "nobody gets what is taken away");
                account.unassign("L3").ok().await;
                assert_eq!(last(&account, "L3").await, (None, false));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_of_what_did_not_change_nor_of_their_own_doing_nor_when_they_may_not_own() {
    check(async |world| {
        let account = team(world, true).await;
        account.assign("L1", "anna").with(|request| request.notify_new_owner = Some(false)).ok().await;
        let before = account.revision().await;
        let again = account.assign("L1", "anna").with(|request| request.notify_new_owner = Some(true)).ok().await;
        assert_eq!((again.outcome(), account.revision().await), (Outcome::Unchanged, before));
        assert_eq!(last(&account, "L1").await, not_told("anna"));

        let claim = account.assign("L2", "ben").if_unassigned().acting_for("ben");
        claim.with(|request| request.notify_new_owner = Some(true)).ok().await;
        assert_eq!(last(&account, "L2").await, not_told("ben"), "who claims it knows");
        account.bulk([to("L3", "ben"), to("L4", "cem")]).acting_for("ben").ok().await;
        assert_eq!((last(&account, "L3").await, last(&account, "L4").await), (not_told("ben"), told("cem")));

        account.deactivate("anna").ok().await;
        let before = account.revision().await;
        let bulk = account.bulk([to("L2", "anna"), to("L3", "nobody-knows"), to("L4", "ben")]);
        let bulk = bulk.with(|request| {
            request.notify_new_owner = Some(true);
            request.failure_mode = FailureMode::SkipFailed.into();
        });
        assert_eq!(bulk.ok().await.tally.unwrap().failed, 2);
        let changes = account.changes().with(|request| request.after_revision = before).ok().await.changes;
        let lead = |change: &OwnerChange| (change.lead_id.clone(), change.notify_new_owner);
        assert_eq!(changes.iter().map(lead).collect::<Vec<_>>(), [("L4".to_owned(), true)]);
    })
    .await;
}

#[tokio::test]
async fn registrations_and_imports_tell_nobody_unless_they_ask() {
    check(async |world| {
        let account = team(world, true).await;
        account.register([owned("R1", "anna")]).ok().await;
        assert_eq!(last(&account, "R1").await, not_told("anna"));
        let asked = account.register([owned("R2", "anna"), lead("R3"), owned("R4", "ben")]).acting_for("ben");
        asked.with(|request| request.notify_new_owner = true).ok().await;
        assert_eq!(last(&account, "R2").await, told("anna"));
        assert_eq!(last(&account, "R3").await, (None, false));
        assert_eq!(last(&account, "R4").await, not_told("ben"));
        let import = account.bulk([to("L1", "anna")]).source(Source::Import);
        import.clone().ok().await;
        assert_eq!(last(&account, "L1").await, not_told("anna"));
        account.unassign("L1").ok().await;
        import.with(|request| request.notify_new_owner = Some(true)).ok().await;
        assert_eq!(last(&account, "L1").await, told("anna"));
    })
    .await;
}

#[tokio::test]
async fn what_was_decided_stays_whatever_the_settings_become() {
    check(async |world| {
        let account = team(world, true).await;
        account.assign("L1", "anna").ok().await;
        account.set_settings(Settings::default()).ok().await;
        account.deactivate("anna").ok().await;
        assert_eq!(last(&account, "L1").await, told("anna"));
        let of_anna = ChangeFilter { owner_ids: vec!["anna".to_owned()], ..Default::default() };
        let mut watch = account.watch().earliest().filtered(of_anna).open().await;
        let seen = watch.until(account.revision().await).await;
        assert_eq!(seen.iter().map(|change| change.notify_new_owner).collect::<Vec<_>>(), [true]);
    })
    .await;
}

/// What a notifier makes of the messages alone: for each revision and member, the leads to tell of.
fn digests(messages: &[Message]) -> Vec<(NotificationIntent, Vec<String>)> {
    let mut flagged: Vec<&OwnerChange> = Vec::new();
    let mut digests = Vec::new();
    for message in messages {
        flagged.extend(message.event.changes.iter().filter(|change| change.notify_new_owner));
        for intent in &message.event.intents {
            let of_intent =
                |change: &&&OwnerChange| change.revision == intent.revision && change.owner_id() == intent.owner_id;
            let leads = flagged.iter().filter(of_intent).map(|change| change.lead_id.clone()).collect();
            digests.push((intent.clone(), leads));
        }
    }
    digests
}

#[tokio::test]
async fn a_bulk_is_one_intent_for_each_new_owner_with_all_its_leads_and_the_same_bytes_after_a_loss() {
    let nats = Nats::start();
    let setup = two_replicas().set("events.url", nats.url()).set("events.poll_interval", "100ms");
    setup
        .check(async |world| {
            let account = world.account();
            account.members(["anna", "ben", "cem"]).await;
            let ids: Vec<String> = (0..1_000).map(|number| format!("L{number}")).collect();
            account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
            // cem gives: 300 leads to cem, and 350 to each of the others.
            let item = |(number, id): (usize, &String)| to(id, ["anna", "ben", "cem"][(number % 20) / 7]);
            let items: Vec<_> = ids.iter().enumerate().map(item).collect();
            let bulk = account.bulk(items.clone()).acting_for("cem");
            let revision = bulk.with(|request| request.notify_new_owner = Some(true)).ok().await.revision;
            let messages = complete(world, &nats).await;
            let of_bulk: Vec<_> = messages.iter().filter(|it| it.event.last_revision == revision).collect();
            assert_eq!(of_bulk.iter().map(|it| it.event.intents.len()).collect::<Vec<_>>(), [0, 2]);
            let intent = |owner: &str| NotificationIntent { revision, owner_id: owner.to_owned(), lead_count: 350 };
            let leads = |owner: &str| -> Vec<String> {
                let target = Some(bulk_assign_item::Target::OwnerId(owner.to_owned()));
                items.iter().filter(|item| item.target == target).map(|item| item.lead_id.clone()).collect()
            };
            let expected = ["anna", "ben"].map(|owner| (intent(owner), leads(owner)));
            assert_eq!(digests(&messages), expected);

            // Whoever publishes it again has nothing in memory.
            (0..world.replicas.len()).for_each(|replica| world.replicas[replica].kill());
            nats.jetstream().await.get_stream(STREAM).await.unwrap().purge().await.unwrap();
            (0..world.replicas.len()).for_each(|replica| world.restart(replica));
            let again = complete(world, &nats).await;
            assert!(bytes(&again) == bytes(&messages), "packed from the log alone");
        })
        .await;
}

#[tokio::test]
async fn several_requests_in_one_message_keep_their_intents_apart() {
    let mut nats = Nats::start();
    nats.kill();
    let setup = one_replica().set("events.url", nats.url()).set("events.poll_interval", "100ms");
    setup
        .check(async |world| {
            let account = team(world, true).await;
            account.assign("L1", "anna").ok().await;
            let first = account.bulk([to("L2", "anna"), to("L3", "ben")]).ok().await.revision;
            account.assign("L4", "anna").acting_for("anna").ok().await;
            nats.restart();
            let messages = complete(world, &nats).await;
            let told: Vec<_> = digests(&messages)
                .into_iter()
                .map(|(intent, leads)| (intent.revision, intent.owner_id, leads.join(" ")))
                .collect();
            let expected = [(first - 1, "anna", "L1"), (first, "anna", "L2"), (first, "ben", "L3")];
            assert_eq!(told, expected.map(|(at, owner, leads)| (at, owner.to_owned(), leads.to_owned())));
        })
        .await;
}
