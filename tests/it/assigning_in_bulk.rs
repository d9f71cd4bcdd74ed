//! Assigning and unassigning many leads at once.

use crate::support::pb::BulkAssignTally;
use crate::support::*;

fn tally(counts: [i32; 5]) -> Option<BulkAssignTally> {
    let [assigned, reassigned, unassigned, unchanged, failed] = counts;
    Some(BulkAssignTally { assigned, reassigned, unassigned, unchanged, failed })
}

#[tokio::test]
async fn a_bulk_is_one_revision_with_one_entry_for_each_lead_that_changed() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.register([lead("L1"), owned("L2", "ben"), owned("L3", "ben"), owned("L4", "anna")]).ok().await;
        let before = account.revision().await;
        let items = [to("L3", "anna"), nobodys("L2"), to("L4", "anna"), to("L1", "anna")];
        let answer = account.bulk(items).reason("spring cleaning").ok().await;
        let outcomes: Vec<_> =
            answer.results.iter().map(|result| (result.lead_id.as_str(), result.outcome())).collect();
        use Outcome::*;
        assert_eq!(outcomes, [("L3", Reassigned), ("L2", Unassigned), ("L4", Unchanged), ("L1", Assigned)]);
        let owners_before: Vec<_> = answer.results.iter().map(|result| result.previous_owner_id.as_deref()).collect();
        assert_eq!(owners_before, [Some("ben"), Some("ben"), Some("anna"), None]);
        assert_eq!((answer.revision, answer.tally), (before + 1, tally([1, 1, 1, 1, 0])));
        assert!(!answer.batch_id.is_empty(), "leads that were changed together have a batch id");
        let changes = account.changes().with(|request| request.after_revision = before).ok().await.changes;
        let entries: Vec<_> =
            changes.iter().map(|change| (change.ordinal, change.lead_id.as_str(), change.kind())).collect();
        let kinds = [ChangeKind::Reassigned, ChangeKind::Unassigned, ChangeKind::Assigned];
        assert_eq!(entries, [(0, "L3", kinds[0]), (1, "L2", kinds[1]), (2, "L1", kinds[2])]);
        assert!(changes.iter().all(|change| change.batch_id == answer.batch_id && change.reason == "spring cleaning"));
    })
    .await;
}

#[tokio::test]
async fn one_bad_item_refuses_the_whole_bulk_and_every_bad_item_is_named() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ina"]).await;
        account.standing("ina", Standing::Inactive).await;
        account.leads(["L1", "L2"]).await;
        let before = account.revision().await;
        let items = [to("L1", "anna"), to("L9", "anna"), to("L2", "ina"), to("L8", "anna")];
        let refusal = account.bulk(items.clone()).refused().await.is("LEAD_NOT_FOUND");
        let refusal = refusal.says("lead_id", "L9").says("item_index", 1).says("failed_count", 3);
        assert!(refusal.fields.is_empty() || refusal.fields.len() == 3, "{refusal:?}");
        assert_eq!((account.owner_of("L1").await, account.revision().await), (None, before));
        let skipping = account.bulk(items).with(|request| request.set_failure_mode(FailureMode::SkipFailed));
        let answer = skipping.ok().await;
        assert_eq!((answer.revision, answer.tally), (before + 1, tally([1, 0, 0, 0, 3])));
        let reasons: Vec<_> =
            answer.results.iter().map(|result| result.error.clone().unwrap_or_default().reason).collect();
        assert_eq!(reasons, ["", "LEAD_NOT_FOUND", "OWNER_INACTIVE", "LEAD_NOT_FOUND"]);
        assert!(answer.results[1..].iter().all(|result| result.outcome() == Outcome::Failed));
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
    })
    .await;
}

#[tokio::test]
async fn items_that_fail_their_precondition_tell_who_has_the_lead() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        let revision = account.register([owned("L1", "anna"), lead("L2"), lead("L3")]).ok().await.revision;
        let items = [
            to("L1", "ben").if_unassigned(),
            to("L2", "ben").if_revision(revision),
            to("L3", "ben").if_revision(revision - 1),
        ];
        let refusal = account.bulk(items.clone()).refused().await.is("OWNER_MISMATCH");
        refusal.says("current_owner_id", "anna").says("item_index", 0).says("failed_count", 2);
        let skipping = account.bulk(items).with(|request| request.set_failure_mode(FailureMode::SkipFailed));
        let answer = skipping.ok().await;
        let [claim, _, stale] = answer.results.as_slice() else { panic!("{answer:?}") };
        let (claim, stale) = (claim.error.clone().unwrap(), stale.error.clone().unwrap());
        assert_eq!(
            (claim.reason.as_str(), claim.current_owner_id.as_deref(), claim.current_revision),
            ("OWNER_MISMATCH", Some("anna"), revision)
        );
        assert_eq!(
            (stale.reason.as_str(), stale.current_owner_id.as_deref(), stale.current_revision),
            ("REVISION_MISMATCH", None, revision)
        );
        assert!(!claim.message.is_empty());
        assert_eq!(account.owner_of("L2").await.as_deref(), Some("ben"));
    })
    .await;
}

#[tokio::test]
async fn a_bulk_that_changes_nothing_makes_no_revision() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let before = account.register([owned("L1", "anna"), lead("L2")]).ok().await.revision;
        let answer = account.bulk([to("L1", "anna"), nobodys("L2")]).ok().await;
        assert_eq!((answer.revision, answer.tally), (before, tally([0, 0, 0, 2, 0])));
        let all_bad =
            account.bulk([to("L9", "anna")]).with(|request| request.set_failure_mode(FailureMode::SkipFailed));
        assert_eq!((all_bad.ok().await.revision, account.revision().await), (before, before));
    })
    .await;
}

#[tokio::test]
async fn a_thousand_items_are_accepted_and_one_more_is_not() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let ids: Vec<String> = (0..1_001).map(|number| format!("L{number:04}")).collect();
        account.register(ids[..1_000].iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
        let items: Vec<_> = ids.iter().map(|id| to(id, "anna")).collect();
        account.bulk(items.clone()).refused().await.is("INVALID_FIELD").names(&["items"]);
        account.bulk([]).refused().await.is("INVALID_FIELD").names(&["items"]);
        assert_eq!(account.counts().ok().await.counts[0].total, 1_000, "still nobody's");
        let answer = account.bulk(items[..1_000].to_vec()).ok().await;
        assert_eq!(answer.tally, tally([1_000, 0, 0, 0, 0]));
        let named: Vec<_> = answer.results.iter().map(|result| &result.lead_id).collect();
        assert_eq!(named, ids[..1_000].iter().collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_bulk_touches_exactly_the_leads_it_names() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let ids: Vec<String> = (0..60).map(|number| format!("L{number}")).collect();
        account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
        let before = account.owners(&ids).ok().await.ownerships;
        let chosen: Vec<_> = ids.iter().step_by(3).map(|id| to(id, "anna")).collect();
        account.bulk(chosen).ok().await;
        let after = account.owners(&ids).ok().await.ownerships;
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before != after, index % 3 == 0, "{after:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_bulk_warns_of_each_lead_above_capacity() {
    check(async |world| {
        let account = world.account();
        account.upsert([pb::Member { capacity: Some(2), ..member("anna") }]).ok().await;
        account.leads(["L1", "L2", "L3"]).await;
        let answer = account.bulk([to("L1", "anna"), to("L2", "anna"), to("L3", "anna")]).ok().await;
        let warned: Vec<_> = answer.results.iter().map(|result| result.warnings.len()).collect();
        assert_eq!(warned, [0, 0, 1]);
    })
    .await;
}
