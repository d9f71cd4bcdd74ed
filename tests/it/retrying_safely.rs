//! At most once: what a repeated request id does.

use futures::future::join_all;

use crate::support::pb::{DefaultSender, Settings};
use crate::support::*;

fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1", "L2"]).await;
    account
}

#[tokio::test]
async fn a_repeat_answers_as_the_first_call_did_and_does_nothing() {
    two_replicas()
        .check(async |world| {
            let account = team(world).await;
            let assign = account.assign("L1", "anna").reason("once").once(&id());
            let first = assign.clone().ok().await;
            account.assign("L1", "ben").ok().await;
            let head = account.revision().await;
            for replica in 0..2 {
                let repeat = Call { channel: world.channel(replica), ..assign.clone() };
                assert_eq!(repeat.ok().await, pb::AssignResponse { replayed: true, ..first.clone() });
            }
            assert_eq!((account.owner_of("L1").await.as_deref(), account.revision().await), (Some("ben"), head));
        })
        .await;
}

#[tokio::test]
async fn every_write_can_be_repeated() {
    check(async |world| {
        let account = team(world).await;
        let settings = Settings {
            default_sender: Some(DefaultSender { name: "T".to_owned(), email: "t@example.com".to_owned() }),
            ..Default::default()
        };
        let update = pb::LeadUpdate {
            lead_id: "L1".to_owned(),
            observed_at: Some(at(now() + 60_000_000)),
            closed: Some(true),
            ..Default::default()
        };
        macro_rules! repeats {
            ($($call:expr),* $(,)?) => {$(
                let call = $call.once(&id());
                let (first, repeat) = (call.clone().ok().await, call.ok().await);
                assert!(!first.replayed && repeat.replayed);
                assert_eq!(format!("{first:?}").replace("replayed: false", "replayed: true"), format!("{repeat:?}"));
            )*};
        }
        repeats!(
            account.assign("L1", "anna"),
            account.unassign("L1"),
            account.bulk([to("L1", "ben"), to("L2", "anna")]),
            account
                .bulk([to("L9", "ben"), to("L2", "ben")])
                .with(|request| request.set_failure_mode(FailureMode::SkipFailed)),
            account.register([lead("L3"), owned("L4", "anna")]),
            account.update([update]),
            account.forget(["L4", "L9"]),
            account.upsert([member("cem"), pb::Member { capacity: Some(3), ..member("ben") }]),
            account.deactivate("ben"),
            account.set_settings(settings),
        );
        assert_eq!(account.revision().await, 12, "each took effect once");
    })
    .await;
}

#[tokio::test]
async fn a_repeat_is_recognised_after_the_server_was_killed() {
    check(async |world| {
        let account = team(world).await;
        let bulk = account.bulk([to("L1", "anna"), to("L2", "ben")]).once(&id());
        let first = bulk.clone().ok().await;
        world.restart(0);
        let repeat = Call { channel: world.channel(0), ..bulk }.ok().await;
        assert_eq!(repeat, pb::BulkAssignResponse { replayed: true, ..first });
    })
    .await;
}

#[tokio::test]
async fn another_body_or_method_under_the_same_id_is_refused() {
    check(async |world| {
        let account = team(world).await;
        let id = id();
        account.assign("L1", "anna").once(&id).ok().await;
        let head = account.revision().await;
        let refusals = [
            account.assign("L1", "ben").once(&id).refused().await,
            account.assign("L2", "anna").once(&id).refused().await,
            account.assign("L1", "anna").reason("other").once(&id).refused().await,
            account.assign("L1", "anna").if_unassigned().once(&id).refused().await,
            account.unassign("L1").once(&id).refused().await,
            account.bulk([to("L1", "anna")]).once(&id).refused().await,
            account.register([lead("L3")]).once(&id).refused().await,
        ];
        for refusal in refusals {
            let refusal = refusal.is("REQUEST_ID_REUSED").says("request_id", &id);
            assert!(refusal.metadata["method"].ends_with("Assign"), "{refusal:?}");
        }
        assert_eq!((account.owner_of("L1").await.as_deref(), account.revision().await), (Some("anna"), head));
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_answer_is_bound_to_its_id_too() {
    check(async |world| {
        let account = team(world).await;
        account.assign("L1", "anna").ok().await;
        let assign = account.assign("L1", "anna").once(&id());
        assert_eq!(assign.clone().ok().await.outcome(), Outcome::Unchanged);
        account.assign("L1", "ben").ok().await;
        let late = assign.ok().await;
        assert_eq!((late.outcome(), late.replayed), (Outcome::Unchanged, true));
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("ben"), "a late retry undoes nobody's change");
    })
    .await;
}

#[tokio::test]
async fn a_refused_call_does_not_use_up_its_id() {
    check(async |world| {
        let account = team(world).await;
        let id = id();
        account.assign("L1", "ghost").once(&id).refused().await.is("OWNER_UNKNOWN");
        account.assign("L1", "").once(&id).refused().await.is("INVALID_FIELD");
        let corrected = account.assign("L1", "anna").once(&id).ok().await;
        assert_eq!((corrected.outcome(), corrected.replayed), (Outcome::Assigned, false));
    })
    .await;
}

#[tokio::test]
async fn thirty_two_at_once_have_one_effect() {
    two_replicas()
        .check(async |world| {
            let account = team(world).await;
            let head = account.revision().await;
            let id = id();
            let calls = (0..32).map(|number| account.through(world, number).assign("L1", "anna").once(&id).ok());
            let answers = join_all(calls).await;
            assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
            for answer in &answers {
                assert_eq!((answer.outcome(), answer.revision), (Outcome::Assigned, head + 1));
                assert_eq!(answer.ownership, answers[0].ownership);
            }
            assert_eq!(account.revision().await, head + 1);
        })
        .await;
}

#[tokio::test]
async fn the_same_id_in_another_account_is_another_request() {
    check(async |world| {
        let (one, other) = (team(world).await, team(world).await);
        let id = id();
        one.assign("L1", "anna").once(&id).ok().await;
        let answer = other.unassign("L1").once(&id).ok().await;
        assert_eq!((answer.outcome(), answer.replayed), (Outcome::Unchanged, false));
    })
    .await;
}

#[tokio::test]
async fn the_spelling_of_an_id_does_not_make_another_request() {
    check(async |world| {
        let account = team(world).await;
        let id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
        account.assign("L1", "anna").once(id).ok().await;
        assert!(account.assign("L1", "anna").once(&id.to_uppercase()).ok().await.replayed);
    })
    .await;
}
