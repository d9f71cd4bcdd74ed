//! Leads that are deleted or merged at their source.

use crate::support::*;

#[tokio::test]
async fn a_forgotten_lead_is_gone_and_its_timeline_stays() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.register([owned("L1", "anna"), lead("L2")]).ok().await;
        let answer = account.forget(["L1"]).reason("merged").ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Forgotten, 3));
        account.owner("L1").refused().await.is("LEAD_NOT_FOUND").says("lead_id", "L1");
        account.get_lead("L1").refused().await.is("LEAD_NOT_FOUND");
        account.assign("L1", "anna").refused().await.is("LEAD_NOT_FOUND");
        assert_eq!(account.owners(["L1", "L2"]).ok().await.unknown_lead_ids, ["L1"]);
        assert_eq!(lead_ids(&account.list(anybody()).ok().await.leads), ["L2"]);
        let last = account.timeline("L1").ok().await.changes.pop().unwrap();
        assert_eq!((last.kind(), last.owner_id, last.reason.as_str()), (ChangeKind::Forgotten, None, "merged"));
        assert_eq!(last.previous_owner_id.as_deref(), Some("anna"));
    })
    .await;
}

#[tokio::test]
async fn forgetting_what_is_not_known_changes_nothing() {
    check(async |world| {
        let account = world.account();
        account.leads(["L1"]).await;
        let answer = account.forget(["L9"]).ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Unchanged, 1));
        let answer = account.forget(["L9", "L1"]).ok().await;
        let outcomes: Vec<_> =
            answer.results.iter().map(|result| (result.lead_id.as_str(), result.outcome())).collect();
        assert_eq!(outcomes, [("L9", Outcome::Unchanged), ("L1", Outcome::Forgotten)]);
    })
    .await;
}

#[tokio::test]
async fn a_forgotten_lead_can_be_registered_again_and_its_timeline_goes_on() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.register([owned("L1", "anna")]).ok().await;
        account.forget(["L1"]).ok().await;
        let answer = account.register([lead("L1")]).ok().await;
        assert_eq!(answer.results[0].outcome(), Outcome::Registered);
        assert_eq!(account.owner_of("L1").await, None);
        let kinds: Vec<_> = account.timeline("L1").ok().await.changes.iter().map(|change| change.kind()).collect();
        assert_eq!(kinds, [ChangeKind::Registered, ChangeKind::Forgotten, ChangeKind::Registered]);
    })
    .await;
}
