//! Writing only if the lead is still as it was seen.

use crate::support::*;

#[tokio::test]
async fn a_stale_revision_is_refused_and_names_the_current_owner() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.leads(["L1", "L2"]).await;
        let seen = account.owner("L1").ok().await.ownership.unwrap().revision;
        let taken = account.assign("L1", "anna").if_revision(seen).ok().await.revision;
        let refusal = account.assign("L1", "ben").if_revision(seen).refused().await.is("REVISION_MISMATCH");
        refusal.says("lead_id", "L1").says("current_owner_id", "anna").says("current_revision", taken);
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
        let refusal = account.assign("L2", "ben").if_revision(taken).refused().await.is("REVISION_MISMATCH");
        refusal.says("current_revision", seen).lacks("current_owner_id");
        assert_eq!(account.revision().await, taken);
    })
    .await;
}

#[tokio::test]
async fn an_owner_who_was_not_expected_is_named() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        let revision = account.register([owned("L1", "anna")]).ok().await.revision;
        let claim = account.assign("L1", "ben").if_unassigned().refused().await.is("OWNER_MISMATCH");
        claim.says("lead_id", "L1").says("current_owner_id", "anna").says("current_revision", revision);
        account
            .assign("L1", "ben")
            .if_owner("ben")
            .refused()
            .await
            .is("OWNER_MISMATCH")
            .says("current_owner_id", "anna");
        // A claim of what one has already is refused as well: somebody owns it.
        account.assign("L1", "anna").if_unassigned().refused().await.is("OWNER_MISMATCH");
        assert_eq!(account.revision().await, revision);
        assert_eq!(account.assign("L1", "ben").if_owner("anna").ok().await.outcome(), Outcome::Reassigned);
        account.unassign("L1").ok().await;
        assert_eq!(account.assign("L1", "anna").if_unassigned().ok().await.outcome(), Outcome::Assigned);
    })
    .await;
}

#[tokio::test]
async fn an_unassign_obeys_its_precondition() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        let first = account.register([owned("L1", "anna")]).ok().await.revision;
        account.unassign("L1").if_owner("ben").refused().await.is("OWNER_MISMATCH").says("current_owner_id", "anna");
        account
            .unassign("L1")
            .if_revision(first - 1)
            .refused()
            .await
            .is("REVISION_MISMATCH")
            .says("current_revision", first);
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
        account.unassign("L1").if_owner("anna").ok().await;
        account.unassign("L1").if_owner("anna").refused().await.is("OWNER_MISMATCH").lacks("current_owner_id");
        assert_eq!(account.unassign("L1").if_unassigned().ok().await.outcome(), Outcome::Unchanged);
    })
    .await;
}
