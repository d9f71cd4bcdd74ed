//! Who owns a lead, one or many, with or without the card.

use crate::support::*;

#[tokio::test]
async fn owners_come_in_the_order_of_the_request_and_unknown_leads_apart() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.register([owned("L1", "anna"), lead("L2")]).ok().await;
        let answer = account.owners(["L9", "L2", "L0", "L1"]).ok().await;
        let owners: Vec<_> =
            answer.ownerships.iter().map(|one| (one.lead_id.as_str(), one.owner_id.as_deref())).collect();
        assert_eq!(owners, [("L2", None), ("L1", Some("anna"))]);
        assert_eq!((answer.unknown_lead_ids, answer.revision), (vec!["L9".to_owned(), "L0".to_owned()], 2));
        assert!(answer.cards.is_empty());
        account.owner("L9").refused().await.is("LEAD_NOT_FOUND").says("lead_id", "L9");
    })
    .await;
}

#[tokio::test]
async fn cards_come_once_each_and_only_if_asked_for() {
    check(async |world| {
        let account = world.account();
        account.members(["ben", "anna", "cem"]).await;
        account.register([owned("L1", "ben"), owned("L2", "anna"), owned("L3", "ben"), lead("L4")]).ok().await;
        account.deactivate("ben").ok().await;
        let lookup = account.owners(["L1", "L2", "L3", "L4"]).with(|request| request.include_cards = true);
        let cards = lookup.ok().await.cards;
        assert_eq!(card_ids(&cards), ["anna", "ben"]);
        assert_eq!((cards[0].display_name.as_str(), cards[0].initials.as_str()), ("Anna", "A"));
        assert_eq!((cards[0].email.as_str(), cards[0].standing()), ("anna@example.com", Standing::Active));
        assert_eq!(cards[1].standing(), Standing::Inactive);
        let one = account.owner("L1").with(|request| request.include_card = true).ok().await;
        assert_eq!(one.card.as_ref(), Some(&cards[1]));
        let nobody = account.owner("L4").with(|request| request.include_card = true).ok().await;
        assert_eq!(nobody.card, None);
        assert_eq!(account.owner("L1").ok().await.card, None);
    })
    .await;
}

#[tokio::test]
async fn ids_are_compared_byte_by_byte() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "Anna"]).await;
        account.register([owned("l1", "anna"), owned("L1", "Anna")]).ok().await;
        assert_eq!(account.owner_of("l1").await.as_deref(), Some("anna"));
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("Anna"));
        let order: Vec<_> =
            account.list(anybody()).with(|request| request.set_order(pb::LeadOrder::LeadId)).ok().await.leads;
        assert_eq!(lead_ids(&order), ["L1", "l1"]);
    })
    .await;
}

#[tokio::test]
async fn an_account_that_nothing_was_written_to_knows_no_lead() {
    check(async |world| {
        let account = world.account();
        let answer = account.owners(["L1"]).ok().await;
        assert_eq!((answer.unknown_lead_ids.len(), answer.revision), (1, 0));
        assert!(account.list(anybody()).ok().await.leads.is_empty());
        assert_eq!(account.counts().ok().await.counts.len(), 1, "the unassigned bucket, empty");
    })
    .await;
}
