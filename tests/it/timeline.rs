//! What happened to a lead, and who owned it when.

use crate::support::pb::{ChangeFilter, OwnerChange};
use crate::support::*;

/// One lead through all that can happen to it.
async fn life(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1"]).await;
    account.assign("L1", "anna").source(Source::Ui).ok().await;
    account.leads(["L2"]).await;
    account.assign("L1", "ben").source(Source::Automation).reason("went quiet").ok().await;
    account.unassign("L1").ok().await;
    account.forget(["L1"]).ok().await;
    account
}

fn kinds(changes: &[OwnerChange]) -> Vec<ChangeKind> {
    changes.iter().map(|change| change.kind()).collect()
}

#[tokio::test]
async fn a_timeline_tells_everything_either_way() {
    check(async |world| {
        let account = life(world).await;
        let changes = account.timeline("L1").ok().await.changes;
        use ChangeKind::*;
        assert_eq!(kinds(&changes), [Registered, Assigned, Reassigned, Unassigned, Forgotten]);
        let revisions: Vec<_> = changes.iter().map(|change| change.revision).collect();
        assert_eq!(revisions, [2, 3, 5, 6, 7]);
        let owners: Vec<_> =
            changes.iter().map(|change| (change.previous_owner_id.as_deref(), change.owner_id.as_deref())).collect();
        let (anna, ben) = (Some("anna"), Some("ben"));
        assert_eq!(owners, [(None, None), (None, anna), (anna, ben), (ben, None), (None, None)]);
        assert_eq!((changes[2].source(), changes[2].reason.as_str()), (Source::Automation, "went quiet"));
        let mut newest_first = account.timeline("L1").with(|request| request.newest_first = true).ok().await.changes;
        newest_first.reverse();
        assert_eq!(newest_first, changes);
    })
    .await;
}

#[tokio::test]
async fn a_timeline_comes_page_by_page_either_way() {
    check(async |world| {
        let account = life(world).await;
        let whole = account.changes().ok().await.changes;
        assert_eq!(whole.len(), 6);
        for newest_first in [false, true] {
            let paged = account.changes().with(|request| {
                request.page_size = 1;
                request.newest_first = newest_first;
            });
            let mut paged = account.log(paged).await;
            if newest_first {
                paged.reverse();
            }
            assert_eq!(paged, whole);
        }
        // Pages cut through a revision, too.
        account.register((0..10).map(|number| lead(&format!("X{number}"))).collect::<Vec<_>>()).ok().await;
        let paged = account.changes().with(|request| {
            request.page_size = 3;
            request.after_revision = 7;
        });
        let ordinals: Vec<_> = account.log(paged).await.iter().map(|change| change.ordinal).collect();
        assert_eq!(ordinals, (0..10).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_span_of_revisions_begins_after_and_ends_with_what_is_named() {
    check(async |world| {
        let account = life(world).await;
        let span = account.changes().with(|request| {
            request.after_revision = 3;
            request.until_revision = Some(6);
        });
        let revisions: Vec<_> = span.ok().await.changes.iter().map(|change| change.revision).collect();
        assert_eq!(revisions, [4, 5, 6]);
        let empty = account.changes().with(|request| request.after_revision = 7).ok().await;
        assert_eq!((empty.changes.len(), empty.revision), (0, 7));
        let future =
            account.changes().with(|request| request.after_revision = 8).refused().await.is("POSITION_IN_FUTURE");
        future.says("requested", 8).says("head_revision", 7);
    })
    .await;
}

#[tokio::test]
async fn every_filter_of_changes_holds() {
    check(async |world| {
        let account = life(world).await;
        let cases: [(&[i64], Change<ChangeFilter>); 10] = [
            (&[2, 3, 4, 5, 6, 7], |_| {}),
            (&[3, 5], |it| it.owner_ids = vec!["anna".to_owned()]),
            (&[5, 6], |it| it.owner_ids = vec!["ben".to_owned()]),
            (&[], |it| it.owner_ids = vec!["ghost".to_owned()]),
            (&[2, 3, 4, 6, 7], |it| it.unassigned = true),
            (&[4], |it| it.lead_ids = vec!["L2".to_owned()]),
            (&[5, 7], |it| it.kinds = vec![ChangeKind::Reassigned.into(), ChangeKind::Forgotten.into()]),
            (&[3], |it| it.sources = vec![Source::Ui.into()]),
            (&[2, 3, 4, 5, 6, 7], |it| {
                it.unassigned = true;
                it.owner_ids = vec!["ben".to_owned()];
            }),
            (&[], |it| {
                it.sources = vec![Source::Ui.into()];
                it.owner_ids = vec!["ben".to_owned()];
            }),
        ];
        for (expected, change) in cases {
            let filter = with(ChangeFilter::default(), change);
            let first = account.changes().with(|it| {
                it.filter = Some(filter.clone());
                it.page_size = 2;
            });
            let revisions: Vec<_> = account.log(first).await.iter().map(|change| change.revision).collect();
            assert_eq!(revisions, expected, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_was_never_known_has_no_timeline() {
    check(async |world| {
        let account = life(world).await;
        account.timeline("L9").refused().await.is("LEAD_NOT_FOUND").says("lead_id", "L9");
        account.forget(["L2"]).ok().await;
        assert_eq!(account.timeline("L2").ok().await.changes.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_owner_right_after_each_revision_is_the_one_the_timeline_names() {
    check(async |world| {
        let account = life(world).await;
        let expected = [None, Some("anna"), Some("anna"), Some("ben"), None];
        for (revision, owner) in (2..).zip(expected) {
            let answer = account.owner("L1").at_revision(revision).ok().await;
            assert_eq!((answer.ownership.unwrap().owner_id.as_deref(), answer.revision), (owner, revision));
        }
        for revision in [0, 1, 7] {
            account.owner("L1").at_revision(revision).refused().await.is("LEAD_NOT_FOUND");
        }
        account
            .owner("L1")
            .at_revision(8)
            .refused()
            .await
            .is("POSITION_IN_FUTURE")
            .says("requested", 8)
            .says("head_revision", 7);
        let both = account.owners(["L1", "L2"]).at_revision(3).ok().await;
        assert_eq!((both.ownerships.len(), both.unknown_lead_ids), (1, vec!["L2".to_owned()]));
        let then = account.owners(["L2", "L1"]).at_revision(4).ok().await.ownerships;
        assert_eq!((then[1].owner_id.as_deref(), then[1].revision), (Some("anna"), 3));
    })
    .await;
}

#[tokio::test]
async fn the_owner_at_a_time_changes_at_the_very_microsecond() {
    check(async |world| {
        let account = life(world).await;
        let changes = account.timeline("L1").ok().await.changes;
        for pair in changes[..4].windows(2) {
            let (before, after) = (&pair[0], micros(&pair[1].occurred_at));
            let answer = account.owner("L1").at_time(at(after)).ok().await.ownership.unwrap();
            assert_eq!(answer.owner_id, pair[1].owner_id, "at the moment of {:?}", pair[1]);
            if micros(&before.occurred_at) < after {
                let answer = account.owner("L1").at_time(at(after - 1)).ok().await.ownership.unwrap();
                assert_eq!(answer.owner_id, before.owner_id, "just before {:?}", pair[1]);
            }
        }
        let born = micros(&changes[0].occurred_at);
        account.owner("L1").at_time(at(born - 1)).refused().await.is("LEAD_NOT_FOUND");
        account.owner("L1").at_time(at(now() + 3_600_000_000)).refused().await.is("POSITION_IN_FUTURE");
    })
    .await;
}

#[tokio::test]
async fn lists_and_logs_say_which_history_they_are_of() {
    check(async |world| {
        let account = life(world).await;
        let history = account.watch().open().await.started.history_id;
        assert_eq!(account.list(anybody()).ok().await.history_id, history);
        assert_eq!(account.changes().ok().await.history_id, history);
        let of = |history: &str| {
            let history = history.to_owned();
            account.changes().with(|request| request.history_id = history)
        };
        assert_eq!(of(&history).ok().await.changes.len(), 6);
        let refused = of("elsewhere").refused().await.is("HISTORY_MISMATCH").says("history_id", &history);
        refused.says("floor_revision", 0).says("head_revision", 7);
        of(&"x".repeat(65)).refused_for("history_id").await;
    })
    .await;
}
