//! Making leads known.

use crate::support::*;

#[tokio::test]
async fn a_lead_without_an_owner_is_nobodys_whoever_registers_it() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        for (number, source) in [Source::Ui, Source::Api, Source::Import, Source::Form].into_iter().enumerate() {
            let id = format!("L{number}");
            account.register([lead(&id)]).source(source).acting_for("anna").ok().await;
            let lead = account.get_lead(&id).ok().await.lead.unwrap();
            assert_eq!((duty(&lead).1, lead.source()), (None, source));
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_registered_can_be_read_back() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let new = pb::NewLead {
            stage: "Qualified".to_owned(),
            stage_entered_at: Some(at(2_000_000)),
            closed: true,
            created_at: Some(at(1_000_007)),
            attributes: [("region".to_owned(), "west".to_owned()), ("size_2".to_owned(), "ü".to_owned())].into(),
            observed_at: Some(at(3_000_000)),
            ..owned("L1", "anna")
        };
        let answer = account.register([new.clone()]).source(Source::Form).reason("came in").ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Registered, 2));
        let lead = account.get_lead("L1").ok().await.lead.unwrap();
        let ownership = lead.ownership.clone().unwrap();
        assert_eq!((duty(&lead).1, ownership.revision), (Some("anna"), 2));
        assert_eq!((&lead.stage, lead.closed, lead.source()), (&new.stage, true, Source::Form));
        assert_eq!((&lead.created_at, &lead.stage_entered_at), (&new.created_at, &new.stage_entered_at));
        assert_eq!(lead.attributes, new.attributes);
        let change = account.timeline("L1").ok().await.changes.remove(0);
        assert_eq!((change.kind(), change.owner_id.as_deref()), (ChangeKind::Registered, Some("anna")));
        assert_eq!(
            (change.previous_owner_id.as_deref(), change.source(), change.reason.as_str()),
            (None, Source::Form, "came in")
        );
        assert_eq!(change.occurred_at, ownership.owner_since);
    })
    .await;
}

#[tokio::test]
async fn what_is_left_out_is_filled_in() {
    check(async |world| {
        let account = world.account();
        let start = now();
        account.register([lead("L1"), pb::NewLead { created_at: Some(at(77)), ..lead("L2") }]).ok().await;
        let fresh = account.get_lead("L1").ok().await.lead.unwrap();
        // The database has its own clock: allow for a wide difference, but not for another unit.
        assert!((micros(&fresh.created_at) - start).abs() < 3_600_000_000, "{fresh:?}");
        assert_eq!((fresh.stage_entered_at, fresh.source()), (fresh.created_at, Source::Api));
        let old = account.get_lead("L2").ok().await.lead.unwrap();
        assert_eq!(micros(&old.stage_entered_at), 77);
    })
    .await;
}

#[tokio::test]
async fn registering_a_known_lead_again_changes_nothing_of_it() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.register([owned("L1", "anna")]).ok().await;
        account.assign("L1", "ben").ok().await;
        let before = account.get_lead("L1").ok().await;
        let again = pb::NewLead { stage: "Other".to_owned(), ..owned("L1", "anna") };
        let answer = account.register([again.clone()]).ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Unchanged, before.revision));
        assert_eq!(account.get_lead("L1").ok().await, before);
        // Together with a new one it is the new one alone that is written.
        let answer = account.register([again, lead("L2")]).ok().await;
        let outcomes: Vec<_> = answer.results.iter().map(|result| result.outcome()).collect();
        assert_eq!(outcomes, [Outcome::Unchanged, Outcome::Registered]);
        assert_eq!(account.timeline("L1").ok().await.changes.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_import_gives_each_new_lead_its_default_assignee() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.leads(["old"]).await;
        let leads: Vec<_> =
            (0..500).map(|number| lead(&format!("L{number:03}"))).chain([owned("mine", "ben"), lead("old")]).collect();
        let import = account.register(leads).with(|request| request.default_owner_id = Some("anna".to_owned()));
        let revision = import.source(Source::Import).batch("import-1").ok().await.revision;
        let counts = account.counts().ok().await.counts;
        let totals: Vec<_> = counts.iter().map(|count| (count.owner_id.as_deref(), count.total)).collect();
        assert_eq!(totals, [(None, 1), (Some("anna"), 500), (Some("ben"), 1)]);
        let since = account.changes().with(|request| {
            request.after_revision = revision - 1;
            request.page_size = 1_000;
        });
        let changes = since.ok().await.changes;
        assert_eq!(changes.len(), 501);
        assert!(changes.iter().all(|change| change.source() == Source::Import && change.batch_id == "import-1"));
    })
    .await;
}

#[tokio::test]
async fn a_default_assignee_who_may_not_receive_leads_is_refused_before_anything_is_written() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ina", "leo"]).await;
        account.standing("ina", Standing::Inactive).await;
        account.standing("leo", Standing::Leaving).await;
        let before = account.revision().await;
        for (owner, reason) in [("ina", "OWNER_INACTIVE"), ("leo", "OWNER_LEAVING"), ("ghost", "OWNER_UNKNOWN")] {
            for mode in [FailureMode::FailAll, FailureMode::SkipFailed] {
                // Every lead names an owner of its own, so the default is needed by none.
                let import = account.register([owned("L1", "anna")]).with(|request| {
                    request.default_owner_id = Some(owner.to_owned());
                    request.set_failure_mode(mode);
                });
                import.refused().await.is(reason).says("owner_id", owner).lacks("item_index");
            }
        }
        assert_eq!(account.revision().await, before);
        account.owner("L1").refused().await.is("LEAD_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn leads_with_a_bad_owner_are_refused_together_or_skipped_one_by_one() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let leads = [owned("L1", "anna"), owned("L2", "ghost"), lead("L3")];
        let refusal = account.register(leads.clone()).refused().await.is("OWNER_UNKNOWN");
        refusal.says("owner_id", "ghost").says("item_index", 1).says("failed_count", 1);
        assert_eq!(account.revision().await, 1);
        let skipping = account.register(leads).with(|request| request.set_failure_mode(FailureMode::SkipFailed));
        let results = skipping.ok().await.results;
        let outcomes: Vec<_> = results.iter().map(|result| result.outcome()).collect();
        assert_eq!(outcomes, [Outcome::Registered, Outcome::Failed, Outcome::Registered]);
        assert_eq!(results[1].error.as_ref().unwrap().reason, "OWNER_UNKNOWN");
        account.owner("L2").refused().await.is("LEAD_NOT_FOUND");
    })
    .await;
}
