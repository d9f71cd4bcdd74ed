//! Reads that ask for what the contract does not allow: each field at its limit and one beyond.

use crate::support::pb::{ChangeFilter, LeadFilter};
use crate::support::*;

fn many(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("a{number}")).collect()
}

#[tokio::test]
async fn filters_have_limits() {
    check(async |world| {
        let account = world.account();
        let list = |change: Change<LeadFilter>| {
            account.list(anybody()).with(|it| it.filter = Some(with(LeadFilter::default(), change)))
        };
        list(|it| it.stages = many(100)).ok().await;
        list(|it| it.stages = many(101)).refused_for("filter.stages").await;
        list(|it| it.stages = vec!["x".repeat(65)]).refused_for("filter.stages[0]").await;
        list(|it| it.sources = vec![0]).refused_for("filter.sources[0]").await;
        list(|it| it.min_time_in_stage = Some(duration(-1))).refused_for("filter.min_time_in_stage").await;
        let changes = |change: Change<ChangeFilter>| {
            account.changes().with(|it| it.filter = Some(with(ChangeFilter::default(), change)))
        };
        changes(|it| it.owner_ids = many(200)).ok().await;
        changes(|it| it.lead_ids = many(1_000)).ok().await;
        changes(|it| it.owner_ids = many(201)).refused_for("filter.owner_ids").await;
        changes(|it| it.lead_ids = many(1_001)).refused_for("filter.lead_ids").await;
        changes(|it| it.kinds = vec![1, 0]).refused_for("filter.kinds[1]").await;
        let unknown = with(ChangeFilter::default(), |it| it.kinds = vec![99]);
        account.watch().filtered(unknown).refused_for("filter.kinds[0]").await;
        account.counts().with(|it| it.owner_ids = many(201)).refused_for("owner_ids").await;
    })
    .await;
}

#[tokio::test]
async fn what_a_read_asks_for_has_limits() {
    check(async |world| {
        let account = world.account();
        for order in [99, -1] {
            account.list(anybody()).with(|it| it.order = order).refused_for("order").await;
        }
        account.list(anybody()).with(|it| it.owner = None).refused_for("owner").await;
        account.owner("L1").at_least(-1).refused_for("consistency.at_least_revision").await;
        account.owner("L1").at_revision(-1).refused_for("as_of.revision").await;
        account.owner("L1").with(|it| it.as_of = Some(Default::default())).refused_for("as_of.at").await;
        account.changes().with(|it| it.until_revision = Some(-1)).refused_for("until_revision").await;
        for size in [-1, i32::MIN] {
            account.changes().with(|it| it.page_size = size).refused_for("page_size").await;
            account.picker("").with(|it| it.page_size = size).refused_for("page_size").await;
            account.counts().with(|it| it.page_size = size).refused_for("page_size").await;
        }
    })
    .await;
}
