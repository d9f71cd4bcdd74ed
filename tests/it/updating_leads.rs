//! Keeping the projection of leads up to date.

use crate::support::pb::{LeadAttributes, LeadUpdate, NewLead};
use crate::support::*;

fn update(lead: &str, observed: i64) -> LeadUpdate {
    LeadUpdate { lead_id: lead.to_owned(), observed_at: Some(at(observed)), ..Default::default() }
}

fn stage(lead: &str, observed: i64, stage: &str) -> LeadUpdate {
    LeadUpdate { stage: Some(stage.to_owned()), ..update(lead, observed) }
}

fn new(id: &str) -> NewLead {
    NewLead {
        stage: "New".to_owned(),
        created_at: Some(at(10)),
        attributes: [("region".to_owned(), "west".to_owned())].into(),
        observed_at: Some(at(100)),
        ..lead(id)
    }
}

async fn read(account: &Account, lead: &str) -> pb::Lead {
    account.get_lead(lead).ok().await.lead.unwrap()
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_leaves_the_rest() {
    check(async |world| {
        let account = world.account();
        account.register([new("L1")]).ok().await;
        let answer = account.update([stage("L1", 200, "Won")]).ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Updated, 2));
        let lead = read(&account, "L1").await;
        assert_eq!((lead.stage.as_str(), micros(&lead.stage_entered_at), lead.closed), ("Won", 200, false));
        assert_eq!((micros(&lead.created_at), lead.attributes.len()), (10, 1));
        account.update([LeadUpdate { closed: Some(true), ..update("L1", 300) }]).ok().await;
        let lead = read(&account, "L1").await;
        assert_eq!((lead.stage.as_str(), micros(&lead.stage_entered_at), lead.closed), ("Won", 200, true));
        let attributes = Some(LeadAttributes { values: [("size".to_owned(), "9".to_owned())].into() });
        account.update([LeadUpdate { attributes, ..update("L1", 400) }]).ok().await;
        let lead = read(&account, "L1").await;
        assert_eq!(lead.attributes.into_iter().collect::<Vec<_>>(), [("size".to_owned(), "9".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn the_same_stage_keeps_its_time_unless_a_time_is_given() {
    check(async |world| {
        let account = world.account();
        account.register([new("L1")]).ok().await;
        account.update([stage("L1", 200, "New")]).ok().await;
        assert_eq!(micros(&read(&account, "L1").await.stage_entered_at), 10);
        account.update([LeadUpdate { stage_entered_at: Some(at(150)), ..stage("L1", 300, "Won") }]).ok().await;
        assert_eq!(micros(&read(&account, "L1").await.stage_entered_at), 150);
    })
    .await;
}

#[tokio::test]
async fn an_older_update_never_overwrites_a_newer() {
    check(async |world| {
        let account = world.account();
        account.register([new("L1"), new("L2")]).ok().await;
        account.update([stage("L1", 300, "Won")]).ok().await;
        let before = account.revision().await;
        let answer = account.update([stage("L1", 299, "Lost")]).ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Stale, before));
        // In one call, a stale one does not hold back the others.
        let answer = account.update([stage("L1", 200, "Lost"), stage("L2", 200, "Lost")]).ok().await;
        let outcomes: Vec<_> = answer.results.iter().map(|result| result.outcome()).collect();
        assert_eq!(outcomes, [Outcome::Stale, Outcome::Updated]);
        assert_eq!((read(&account, "L1").await.stage, read(&account, "L2").await.stage), ("Won".into(), "Lost".into()));
        assert_eq!(account.update([stage("L1", 300, "Won")]).ok().await.results[0].outcome(), Outcome::Unchanged);
    })
    .await;
}

#[tokio::test]
async fn an_update_touches_no_owner_and_no_timeline() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.register([NewLead { owner_id: Some("anna".to_owned()), ..new("L1") }]).ok().await;
        account.deactivate("anna").ok().await;
        let before = read(&account, "L1").await.ownership;
        account.update([stage("L1", 500, "Won")]).ok().await;
        assert_eq!(read(&account, "L1").await.ownership, before);
        assert_eq!(account.timeline("L1").ok().await.changes.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn unknown_leads_refuse_the_call_or_are_skipped() {
    check(async |world| {
        let account = world.account();
        account.register([new("L1")]).ok().await;
        let updates = [stage("L1", 200, "Won"), stage("L9", 200, "Won")];
        let refusal = account.update(updates.clone()).refused().await.is("LEAD_NOT_FOUND");
        refusal.says("lead_id", "L9").says("item_index", 1).says("failed_count", 1);
        assert_eq!(read(&account, "L1").await.stage, "New");
        let skipping = account.update(updates).with(|request| request.set_failure_mode(FailureMode::SkipFailed));
        let results = skipping.ok().await.results;
        assert_eq!((results[0].outcome(), results[1].outcome()), (Outcome::Updated, Outcome::Failed));
        assert_eq!(results[1].error.as_ref().unwrap().reason, "LEAD_NOT_FOUND");
    })
    .await;
}
