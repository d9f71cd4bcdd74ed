//! Taking the owner from a lead.

use crate::support::*;

#[tokio::test]
async fn an_unassigned_lead_has_no_owner_and_names_the_one_before() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let owned_at = account.register([owned("L1", "anna")]).ok().await.revision;
        let answer = account.unassign("L1").reason("on holiday").ok().await;
        assert_eq!((answer.outcome(), answer.previous_owner_id.as_deref()), (Outcome::Unassigned, Some("anna")));
        assert_eq!(answer.revision, owned_at + 1);
        let ownership = account.owner("L1").ok().await.ownership;
        assert_eq!(ownership, answer.ownership);
        assert_eq!(ownership.unwrap().owner_id, None);
        let last = account.timeline("L1").ok().await.changes.pop().unwrap();
        assert_eq!(
            (last.kind(), last.previous_owner_id.as_deref(), last.owner_id),
            (ChangeKind::Unassigned, Some("anna"), None)
        );
        assert_eq!(last.reason, "on holiday");
    })
    .await;
}

#[tokio::test]
async fn unassigning_an_unassigned_lead_changes_nothing() {
    check(async |world| {
        let account = world.account();
        account.leads(["L1"]).await;
        let before = account.owner("L1").ok().await;
        let answer = account.unassign("L1").ok().await;
        assert_eq!(
            (answer.outcome(), answer.revision, answer.previous_owner_id.clone()),
            (Outcome::Unchanged, 1, None)
        );
        assert_eq!(answer.ownership, before.ownership);
        assert_eq!(account.timeline("L1").ok().await.changes.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_is_not_known_cannot_be_unassigned() {
    check(async |world| {
        let account = world.account();
        account.unassign("L9").refused().await.is("LEAD_NOT_FOUND").says("lead_id", "L9");
        assert_eq!(account.revision().await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_of_an_account_that_nobody_knows_leaves_nothing_while_others_write() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let calls = (0..50).map(async |number| {
            let lead = format!("L{number}");
            let unknown = world.account();
            tokio::join!(async { account.register([owned(&lead, "anna")]).ok().await }, async {
                unknown.unassign(&lead).refused().await
            },)
        });
        futures::future::join_all(calls).await;
        assert_eq!(world.sql().await.number("select count(*) from account_head where revision = 0").await, 0);
    })
    .await;
}
