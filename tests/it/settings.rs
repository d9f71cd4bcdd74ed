//! The settings of an account.

use crate::support::pb::settings::UnassignedOverdue;
use crate::support::pb::{DefaultSender, Settings};
use crate::support::*;

fn sender(name: &str) -> Settings {
    let sender = DefaultSender { name: name.to_owned(), email: "team@example.com".to_owned() };
    Settings { default_sender: Some(sender), ..Settings::default() }
}

#[tokio::test]
async fn an_account_that_nothing_was_written_to_has_default_settings() {
    check(async |world| {
        let answer = world.account().settings().ok().await;
        assert_eq!((answer.settings_revision, answer.revision), (0, 0));
        assert_eq!(answer.settings.unwrap_or_default(), Settings::default());
    })
    .await;
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole() {
    check(async |world| {
        let account = world.account();
        let answer = account.set_settings(sender("The team")).ok().await;
        assert_eq!((answer.outcome(), answer.revision), (Outcome::Updated, 1));
        account.leads(["L1"]).await;
        let read = account.settings().ok().await;
        assert_eq!((read.settings, read.settings_revision, read.revision), (Some(sender("The team")), 1, 2));
        let same = account.set_settings(sender("The team")).ok().await;
        assert_eq!((same.outcome(), same.revision), (Outcome::Unchanged, 2));
        account.set_settings(Settings::default()).ok().await;
        let read = account.settings().ok().await;
        assert_eq!((read.settings.unwrap_or_default(), read.settings_revision), (Settings::default(), 3));
    })
    .await;
}

#[tokio::test]
async fn what_the_release_before_leaves_behind_when_it_replaces_settings_does_not_count() {
    let mut world = one_replica().start();
    let account = world.account();
    account.set_settings(Settings { notify_new_owner: true, ..sender("The team") }).ok().await;
    world.replicas[0].kill();
    world.sql().await.run("update account_settings set revision = revision + 1").await;
    world.restart(0);
    assert_eq!(account.through(&world, 0).settings().ok().await.settings, Some(sender("The team")));
}

#[tokio::test]
async fn a_lead_is_overdue_after_a_second_at_least_and_a_year_at_most() {
    check(async |world| {
        let account = world.account();
        let after = |seconds: i64, nanos: i32| {
            let span = prost_types::Duration { seconds, nanos };
            let limit = UnassignedOverdue::UnassignedOverdueAfter(span);
            account.set_settings(Settings { unassigned_overdue: Some(limit), ..Settings::default() })
        };
        for (seconds, nanos) in [(0, 0), (0, 999_999_999), (-1, 0), (365 * 86_400, 1)] {
            after(seconds, nanos).refused_for("settings.unassigned_overdue_after").await;
        }
        for (seconds, nanos) in [(1, 0), (1, 500_000_000), (365 * 86_400, 0)] {
            let set = after(seconds, nanos);
            set.clone().ok().await;
            let limit = account.settings().ok().await.settings.unwrap().unassigned_overdue;
            assert_eq!(limit, set.request.settings.unwrap().unassigned_overdue);
        }
    })
    .await;
}

#[tokio::test]
async fn settings_that_somebody_else_changed_are_not_overwritten() {
    check(async |world| {
        let account = world.account();
        let first = account.set_settings(sender("One")).with(|request| request.expected_revision = Some(0)).ok().await;
        account.leads(["L1"]).await;
        let second = account.set_settings(sender("Two")).with(|request| request.expected_revision = Some(0));
        let refusal = second.refused().await.is("REVISION_MISMATCH");
        refusal.says("current_revision", first.revision).lacks("lead_id");
        let third = account.set_settings(sender("Two")).with(|request| request.expected_revision = Some(1));
        assert_eq!(third.ok().await.outcome(), Outcome::Updated);
    })
    .await;
}

#[tokio::test]
async fn a_settings_update_without_settings_is_refused() {
    check(async |world| {
        let account = world.account();
        let call = account.set_settings(Settings::default()).with(|request| request.settings = None);
        call.refused().await.is("INVALID_FIELD").names(&["settings"]);
    })
    .await;
}
