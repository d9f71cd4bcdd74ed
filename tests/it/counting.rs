//! How many leads each owner has.

use crate::support::pb::{LeadFilter, NewLead, OwnerCount};
use crate::support::*;

fn totals(counts: &[OwnerCount]) -> Vec<(Option<&str>, i64)> {
    counts.iter().map(|count| (count.owner_id.as_deref(), count.total)).collect()
}

async fn board(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben", "cem"]).await;
    let long_ago = Some(at(now() - 10 * 86_400_000_000));
    account
        .register([
            NewLead { stage: "New".to_owned(), ..owned("L1", "anna") },
            NewLead { stage: "New".to_owned(), closed: true, ..owned("L2", "anna") },
            NewLead { stage: "Won".to_owned(), stage_entered_at: long_ago, ..owned("L3", "anna") },
            NewLead { stage: "New".to_owned(), ..owned("L4", "ben") },
            NewLead { stage: "Won".to_owned(), stage_entered_at: long_ago, ..lead("L5") },
        ])
        .ok()
        .await;
    account
}

#[tokio::test]
async fn counts_start_with_the_unassigned_and_follow_owner_and_stage() {
    check(async |world| {
        let account = board(world).await;
        let answer = account.counts().ok().await;
        assert_eq!(totals(&answer.counts), [(None, 1), (Some("anna"), 3), (Some("ben"), 1)], "cem has none");
        let stages: Vec<_> =
            answer.counts[1].stages.iter().map(|stage| (stage.stage.as_str(), stage.open, stage.closed)).collect();
        assert_eq!(stages, [("New", 1, 1), ("Won", 1, 0)]);
        assert_eq!((answer.revision, answer.cards.len()), (2, 0));
        let with_cards = account.counts().with(|request| request.include_cards = true).ok().await;
        assert_eq!(card_ids(&with_cards.cards), ["anna", "ben"]);
    })
    .await;
}

#[tokio::test]
async fn the_unassigned_bucket_is_there_even_when_it_is_empty() {
    check(async |world| {
        let account = board(world).await;
        account.assign("L5", "cem").ok().await;
        let counts = account.counts().ok().await.counts;
        assert_eq!((totals(&counts)[0], counts[0].oldest_owner_since), ((None, 0), None));
    })
    .await;
}

#[tokio::test]
async fn counts_obey_the_filter_and_the_owners_that_are_named() {
    check(async |world| {
        let account = board(world).await;
        let stuck = LeadFilter { min_time_in_stage: Some(duration(9 * 86_400)), ..Default::default() };
        let filtered = |filter: LeadFilter| account.counts().with(|request| request.filter = Some(filter));
        assert_eq!(totals(&filtered(stuck).ok().await.counts), [(None, 1), (Some("anna"), 1)]);
        let open = LeadFilter { closed: Some(false), stages: vec!["New".to_owned()], ..Default::default() };
        assert_eq!(totals(&filtered(open).ok().await.counts), [(None, 0), (Some("anna"), 1), (Some("ben"), 1)]);
        let named = account.counts().with(|request| request.owner_ids = vec!["ben".to_owned(), "ghost".to_owned()]);
        assert_eq!(totals(&named.ok().await.counts), [(Some("ben"), 1)]);
    })
    .await;
}

#[tokio::test]
async fn counts_are_right_at_once_after_a_bulk() {
    two_replicas()
        .check(async |world| {
            let account = board(world).await;
            let elsewhere = account.through(world, 1);
            account.bulk([to("L1", "cem"), to("L4", "cem"), nobodys("L3")]).ok().await;
            assert_eq!(totals(&elsewhere.counts().ok().await.counts), [(None, 2), (Some("anna"), 1), (Some("cem"), 2)]);
        })
        .await;
}

#[tokio::test]
async fn counts_come_page_by_page() {
    check(async |world| {
        let account = board(world).await;
        let first = account.counts().with(|request| request.page_size = 1).ok().await;
        assert_eq!(totals(&first.counts), [(None, 1)]);
        let rest = account.counts().with(|request| {
            request.page_size = 5;
            request.page_token = first.next_page_token;
        });
        let rest = rest.ok().await;
        assert_eq!(
            (totals(&rest.counts), rest.next_page_token.as_str()),
            (vec![(Some("anna"), 3), (Some("ben"), 1)], "")
        );
    })
    .await;
}
