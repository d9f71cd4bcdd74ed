//! Making a member the owner of a lead.

use crate::support::*;

#[tokio::test]
async fn an_assigned_lead_has_its_owner_and_one_more_entry_on_its_timeline() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "mia"]).await;
        account.leads(["L1"]).await;
        let before = account.revision().await;
        let call =
            account.assign("L1", "anna").source(Source::Ui).reason("asked for it").acting_for("mia").batch("b-7");
        let answer = call.ok().await;
        assert_eq!(answer.outcome(), Outcome::Assigned);
        assert_eq!((answer.revision, answer.previous_owner_id, answer.replayed), (before + 1, None, false));
        assert_eq!(answer.warnings, Vec::<i32>::new());
        let read = account.owner("L1").ok().await;
        assert_eq!((read.ownership.clone(), read.revision), (answer.ownership, before + 1));
        assert_eq!(read.ownership.unwrap().owner_id.as_deref(), Some("anna"));
        let timeline = account.timeline("L1").ok().await.changes;
        let [_, change] = timeline.as_slice() else { panic!("{timeline:?}") };
        assert_eq!((change.kind(), change.revision, change.ordinal), (ChangeKind::Assigned, before + 1, 0));
        assert_eq!((change.previous_owner_id.as_deref(), change.owner_id.as_deref()), (None, Some("anna")));
        assert_eq!(
            (change.source(), change.reason.as_str(), change.batch_id.as_str()),
            (Source::Ui, "asked for it", "b-7")
        );
        let actor = change.actor.clone().unwrap();
        assert_eq!((actor.caller_id.as_str(), actor.member_id.as_deref()), ("anonymous", Some("mia")));
    })
    .await;
}

#[tokio::test]
async fn assigning_the_present_owner_changes_nothing() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.register([owned("L1", "anna")]).ok().await;
        account.leads(["L2"]).await;
        let before = account.owner("L1").ok().await;
        let answer = account.assign("L1", "anna").ok().await;
        assert_eq!(answer.outcome(), Outcome::Unchanged);
        assert_eq!((answer.revision, answer.previous_owner_id.as_deref()), (before.revision, Some("anna")));
        assert_eq!(answer.ownership, before.ownership, "since when, and by which revision, stays as it was");
        assert_eq!(account.timeline("L1").ok().await.changes.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_reassigned_lead_names_the_owner_before() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.register([owned("L1", "anna")]).ok().await;
        let answer = account.assign("L1", "ben").ok().await;
        assert_eq!((answer.outcome(), answer.previous_owner_id.as_deref()), (Outcome::Reassigned, Some("anna")));
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("ben"));
    })
    .await;
}

#[tokio::test]
async fn an_assign_without_an_owner_is_refused_and_is_no_unassign() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.register([owned("L1", "anna")]).ok().await;
        account.assign("L1", "").refused().await.is("INVALID_FIELD").names(&["owner_id"]);
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
    })
    .await;
}

#[tokio::test]
async fn a_member_who_is_inactive_leaving_or_unknown_receives_no_lead() {
    check(async |world| {
        let (account, other) = (world.account(), world.account());
        other.members(["zoe"]).await;
        account.members(["anna", "ina", "leo"]).await;
        account.standing("ina", Standing::Inactive).await;
        account.standing("leo", Standing::Leaving).await;
        account.register([owned("L1", "anna")]).ok().await;
        let before = account.revision().await;
        let unfit =
            [("ina", "OWNER_INACTIVE"), ("leo", "OWNER_LEAVING"), ("zoe", "OWNER_UNKNOWN"), ("ghost", "OWNER_UNKNOWN")];
        for (owner, reason) in unfit {
            account.assign("L1", owner).refused().await.is(reason).says("owner_id", owner);
            account.bulk([to("L1", owner)]).refused().await.is(reason).says("owner_id", owner).says("item_index", 0);
            account.register([owned("L2", owner)]).refused().await.is(reason).says("owner_id", owner);
        }
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
        assert_eq!(account.revision().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_is_not_known_cannot_be_assigned() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.assign("L9", "anna").refused().await.is("LEAD_NOT_FOUND").says("lead_id", "L9");
        assert_eq!(account.revision().await, 1);
    })
    .await;
}

#[tokio::test]
async fn assigning_touches_neither_the_stage_nor_its_time() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let new = pb::NewLead {
            stage: "Qualified".to_owned(),
            stage_entered_at: Some(at(1_000_001)),
            created_at: Some(at(5)),
            attributes: [("region".to_owned(), "west".to_owned())].into(),
            ..lead("L1")
        };
        account.register([new]).source(Source::Form).ok().await;
        let before = account.get_lead("L1").ok().await.lead.unwrap();
        account.assign("L1", "anna").ok().await;
        let after = account.get_lead("L1").ok().await.lead.unwrap();
        assert_eq!(pb::Lead { ownership: None, ..after }, pb::Lead { ownership: None, ..before });
    })
    .await;
}

#[tokio::test]
async fn an_owner_who_becomes_inactive_keeps_the_lead_until_somebody_reassigns_it() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.register([owned("L1", "anna")]).ok().await;
        account.deactivate("anna").ok().await;
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
        assert_eq!(account.assign("L1", "anna").ok().await.outcome(), Outcome::Unchanged);
        account.assign("L1", "ben").ok().await;
        account.assign("L1", "anna").refused().await.is("OWNER_INACTIVE");
    })
    .await;
}

#[tokio::test]
async fn a_manual_assign_above_capacity_succeeds_with_a_warning() {
    check(async |world| {
        let account = world.account();
        account.upsert([pb::Member { capacity: Some(1), ..member("anna") }]).ok().await;
        account.register([lead("L1"), lead("L2"), pb::NewLead { closed: true, ..lead("L3") }]).ok().await;
        assert_eq!(account.assign("L1", "anna").ok().await.warnings, Vec::<i32>::new());
        assert_eq!(account.assign("L3", "anna").ok().await.warnings, Vec::<i32>::new(), "closed leads do not count");
        let answer = account.assign("L2", "anna").ok().await;
        assert_eq!(answer.warnings, [i32::from(pb::Warning::OverCapacity)]);
        assert_eq!(account.owner_of("L2").await.as_deref(), Some("anna"));
    })
    .await;
}
