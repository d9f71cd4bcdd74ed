//! Leads that nobody owns: others are told of each once in each episode, when it has lasted for too long.

use ownership::store::{Options, Store as Tables, ageing};

use crate::support::nats::Nats;
use crate::support::pb::settings::UnassignedOverdue;
use crate::support::pb::{LeadUpdate, OverdueLead, Settings};
use crate::support::stream::{Message, STREAM, bytes, complete, read};
use crate::support::*;

/// Long enough to do something about a lead before, and short enough to wait for.
const SECONDS: i64 = 2;

fn overdue_after(seconds: i64) -> Settings {
    let limit = UnassignedOverdue::UnassignedOverdueAfter(duration(seconds));
    Settings { unassigned_overdue: Some(limit), ..Settings::default() }
}

fn never_overdue() -> Settings {
    let limit = UnassignedOverdue::NeverUnassignedOverdue(());
    Settings { unassigned_overdue: Some(limit), ..Settings::default() }
}

async fn team(world: &World, settings: Settings) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.set_settings(settings).ok().await;
    account
}

/// Runs a test with a broker.
async fn with_broker(setup: Setup, body: impl AsyncFnOnce(&mut World, &Nats)) {
    let nats = Nats::start();
    let setup = setup.set("events.url", nats.url()).set("events.poll_interval", "100ms");
    setup.check(async |world| body(world, &nats).await).await;
}

fn leads_of(messages: &[Message]) -> Vec<OverdueLead> {
    messages.iter().flat_map(|message| message.overdue.clone()).collect()
}

/// Waits until others are told of so many leads. Nothing may be missing in the stream then, nor be there twice.
async fn told(world: &World, nats: &Nats, count: usize) -> Vec<OverdueLead> {
    eventually("others are told", async || (leads_of(&read(nats).await).len() >= count).then_some(())).await;
    leads_of(&complete(world, nats).await)
}

fn ids(leads: &[OverdueLead]) -> Vec<&str> {
    leads.iter().map(|lead| lead.lead_id.as_str()).collect()
}

/// Waits until a lead has had its owner, or none, for so long.
async fn lasted(account: &Account, lead: &str, seconds: i64) {
    let since = micros(&account.owner(lead).ok().await.ownership.unwrap().owner_since);
    eventually("time passes", async || (now() > since + seconds * 1_000_000).then_some(())).await;
}

#[tokio::test]
async fn each_episode_is_told_of_once_and_one_that_ends_in_time_never() {
    with_broker(two_replicas(), async |world, nats| {
        let account = team(world, overdue_after(SECONDS)).await;
        account.leads(["L1", "L2"]).await;
        account.register([owned("L3", "anna")]).ok().await;
        account.assign("L2", "anna").ok().await;
        let first = told(world, nats, 1).await;
        let ownership = account.owner("L1").ok().await.ownership.unwrap();
        assert_eq!(ids(&first), ["L1"]);
        assert_eq!(first[0].unassigned_since, ownership.owner_since);
        assert_eq!(first[0].unassigned_revision, ownership.revision);
        let waited = micros(&first[0].occurred_at) - micros(&first[0].unassigned_since);
        assert!(waited >= SECONDS * 1_000_000, "{waited} us");

        account.assign("L1", "ben").ok().await;
        account.through(world, 1).bulk([nobodys("L1"), nobodys("L3")]).ok().await;
        let second = told(world, nats, 3).await;
        assert_eq!(ids(&second), ["L1", "L1", "L3"], "and L2 has an owner");
        assert_ne!(second[1].unassigned_revision, second[0].unassigned_revision);
    })
    .await;
}

#[tokio::test]
async fn it_shows_on_the_lead_until_it_has_an_owner_and_is_no_change_of_one() {
    with_broker(one_replica(), async |world, nats| {
        let account = team(world, overdue_after(1)).await;
        account.leads(["L1"]).await;
        let before = account.owner("L1").ok().await.ownership;
        let revision = told(world, nats, 1).await[0].revision;
        assert_eq!(account.revision().await, revision);
        assert_eq!(account.owner("L1").ok().await.ownership, before);
        assert!(account.get_lead("L1").ok().await.lead.unwrap().unassigned_overdue);
        assert!(account.list(nobody()).ok().await.leads[0].unassigned_overdue);
        assert_eq!(account.timeline("L1").ok().await.changes.len(), 1);
        let mut watch = account.watch().earliest().open().await;
        assert_eq!(watch.until(revision).await.len(), 1, "it was registered, and no more");
        account.assign("L1", "anna").if_revision(before.unwrap().revision).ok().await;
        assert!(!account.get_lead("L1").ok().await.lead.unwrap().unassigned_overdue);
    })
    .await;
}

#[tokio::test]
async fn a_shorter_time_holds_at_once() {
    with_broker(one_replica(), async |world, nats| {
        let account = team(world, Settings::default()).await;
        account.leads(["L1"]).await;
        lasted(&account, "L1", 1).await;
        assert!(leads_of(&complete(world, nats).await).is_empty(), "a day has not passed");
        account.set_settings(overdue_after(1)).ok().await;
        assert_eq!(ids(&told(world, nats, 1).await), ["L1"]);
    })
    .await;
}

#[tokio::test]
async fn while_it_is_turned_off_nobody_is_told_and_later_not_of_what_was_so_before() {
    with_broker(one_replica(), async |world, nats| {
        let account = team(world, never_overdue()).await;
        account.leads(["L1"]).await;
        lasted(&account, "L1", 1).await;
        account.set_settings(overdue_after(1)).ok().await;
        account.leads(["L2"]).await;
        assert_eq!(ids(&told(world, nats, 1).await), ["L2"]);
        account.set_settings(never_overdue()).ok().await;
        account.leads(["L3"]).await;
        lasted(&account, "L3", 1).await;
        account.set_settings(overdue_after(1)).ok().await;
        account.assign("L1", "anna").ok().await;
        account.unassign("L1").ok().await;
        assert_eq!(ids(&told(world, nats, 2).await), ["L2", "L1"], "a new episode counts");
    })
    .await;
}

#[tokio::test]
async fn an_episode_begins_when_the_service_learns_of_it_and_closed_leads_wait_for_nobody() {
    with_broker(one_replica(), async |world, nats| {
        let account = team(world, overdue_after(1)).await;
        let old = pb::NewLead { created_at: Some(at(77)), ..lead("L1") };
        account.register([old, pb::NewLead { closed: true, ..lead("L2") }]).ok().await;
        let first = told(world, nats, 1).await;
        assert_eq!(ids(&first), ["L1"]);
        assert_eq!(first[0].unassigned_since, account.owner("L1").ok().await.ownership.unwrap().owner_since);
        let observed_at = Some(at(now() + 1_000_000));
        let reopened = LeadUpdate { lead_id: "L2".to_owned(), observed_at, closed: Some(false), ..Default::default() };
        account.update([reopened]).ok().await;
        assert_eq!(ids(&told(world, nats, 2).await), ["L1", "L2"]);
    })
    .await;
}

#[tokio::test]
async fn overdue_leads_are_links_of_the_chain_and_the_same_bytes_after_a_loss() {
    with_broker(two_replicas(), async |world, nats| {
        let account = team(world, overdue_after(SECONDS)).await;
        account.register((0..600).map(|number| lead(&format!("L{number}"))).collect::<Vec<_>>()).ok().await;
        told(world, nats, 600).await;
        account.register((0..600).map(|number| lead(&format!("M{number}"))).collect::<Vec<_>>()).ok().await;
        account.set_settings(never_overdue()).ok().await;
        let messages = complete(world, nats).await;
        let fragments = |messages: &[Message]| {
            messages.iter().map(|it| (it.overdue.len(), it.event.fragment_count)).collect::<Vec<_>>()
        };
        assert_eq!(fragments(&messages), [(0, 2), (0, 2), (500, 2), (100, 2), (0, 2), (0, 2)]);
        // Whoever publishes it again has nothing in memory.
        (0..world.replicas.len()).for_each(|replica| world.replicas[replica].kill());
        nats.jetstream().await.get_stream(STREAM).await.unwrap().purge().await.unwrap();
        (0..world.replicas.len()).for_each(|replica| world.restart(replica));
        let again = complete(world, nats).await;
        assert!(bytes(&again) == bytes(&messages), "packed from the log alone");
    })
    .await;
}

#[tokio::test]
async fn a_crowd_is_told_of_in_revisions_of_a_thousand_whoever_is_killed_meanwhile() {
    with_broker(two_replicas(), async |world, nats| {
        let account = team(world, overdue_after(1)).await;
        for part in 0..4 {
            let leads: Vec<_> = (0..700).map(|number| lead(&format!("L{part}-{number}"))).collect();
            account.register(leads).ok().await;
        }
        for round in 0..4 {
            world.restart(round);
            let account = account.through(world, round + 1);
            eventually("the service is back", async || account.settings().await.ok()).await;
        }
        let leads = told(world, nats, 2_800).await;
        let mut of_revision = std::collections::BTreeMap::<i64, usize>::new();
        leads.iter().for_each(|lead| *of_revision.entry(lead.revision).or_default() += 1);
        assert_eq!(leads.len(), 2_800);
        assert!(of_revision.values().all(|leads| *leads <= 1_000), "{of_revision:?}");
    })
    .await;
}

#[tokio::test]
async fn what_was_left_behind_is_told_of_after_a_restart() {
    with_broker(one_replica(), async |world, nats| {
        let account = team(world, overdue_after(1)).await;
        account.leads(["L1"]).await;
        world.replicas[0].kill();
        world.restart(0);
        assert_eq!(ids(&told(world, nats, 1).await), ["L1"]);
        world.restart(0);
        let account = account.through(world, 0);
        account.leads(["L2"]).await;
        assert_eq!(ids(&told(world, nats, 2).await), ["L1", "L2"], "and of the first not again");
    })
    .await;
}

#[tokio::test]
async fn who_claims_an_account_has_it_to_itself_for_a_while() {
    let mut world = one_replica().start();
    world.account().leads(["L1"]).await;
    world.replicas[0].kill();
    let options = Options { url: world.database.url(), max_connections: 4 };
    let tables = Tables::connect(&options).await.unwrap();
    let due = ageing::agenda(&tables).await.unwrap().first.unwrap();
    let claim = async |now, again| {
        let tx = tables.begin("test").await.unwrap();
        let claimed = ageing::claim(&tx, now, again).await.unwrap();
        tx.commit().await.unwrap();
        claimed.is_some()
    };
    assert!(!claim(due.minus_micros(1), due).await, "too early");
    assert!(claim(due, due.plus_micros(10)).await);
    assert!(!claim(due.plus_micros(9), due.plus_micros(20)).await, "somebody has it");
    assert!(claim(due.plus_micros(10), due.plus_micros(20)).await, "for so long");
}
