//! Whose leads are which: filters, orders, pages.

use prost::Message;

use crate::support::pb::{LeadFilter, LeadOrder, NewLead, TimeRange};
use crate::support::*;

/// Six leads of two owners and nobody; each differs from the others in every time.
async fn six(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    let plan = [
        ("L1", Some("anna"), "New", false, 30, 60),
        ("L2", Some("anna"), "Won", true, 10, 90),
        ("L3", Some("ben"), "New", false, 60, 70),
        ("L4", None, "New", false, 20, 95),
        ("L5", None, "", true, 50, 65),
        ("L6", None, "Won", false, 40, 80),
    ];
    for (id, owner, stage, closed, created, entered) in plan {
        let new = NewLead {
            owner_id: owner.map(str::to_owned),
            stage: stage.to_owned(),
            closed,
            created_at: Some(at(created)),
            stage_entered_at: Some(at(entered)),
            ..lead(id)
        };
        let source = if id == "L4" { Source::Form } else { Source::Api };
        account.register([new]).source(source).ok().await;
    }
    account
}

fn span(start: Option<i64>, end: Option<i64>) -> Option<TimeRange> {
    Some(TimeRange { start: start.map(at), end: end.map(at) })
}

#[tokio::test]
async fn a_list_holds_the_leads_of_a_member_of_nobody_or_all() {
    check(async |world| {
        let account = six(world).await;
        assert_eq!(lead_ids(&account.list(of("anna")).ok().await.leads), ["L2", "L1"]);
        assert_eq!(lead_ids(&account.list(nobody()).ok().await.leads), ["L4", "L6", "L5"], "created longest ago first");
        assert_eq!(lead_ids(&account.list(anybody()).ok().await.leads), ["L2", "L4", "L1", "L6", "L5", "L3"]);
        assert!(account.list(of("ghost")).ok().await.leads.is_empty());
        account.deactivate("anna").ok().await;
        assert_eq!(account.list(of("anna")).ok().await.leads.len(), 2, "whatever the standing");
    })
    .await;
}

#[tokio::test]
async fn every_order_goes_either_way() {
    check(async |world| {
        let account = six(world).await;
        account.unassign("L1").ok().await;
        let orders = [
            (LeadOrder::CreatedAsc, ["L4", "L1", "L6", "L5"]),
            (LeadOrder::CreatedDesc, ["L5", "L6", "L1", "L4"]),
            (LeadOrder::AssignedAsc, ["L4", "L5", "L6", "L1"]),
            (LeadOrder::AssignedDesc, ["L1", "L6", "L5", "L4"]),
            (LeadOrder::StageEnteredAsc, ["L1", "L5", "L6", "L4"]),
            (LeadOrder::StageEnteredDesc, ["L4", "L6", "L5", "L1"]),
            (LeadOrder::LeadId, ["L1", "L4", "L5", "L6"]),
        ];
        for (order, expected) in orders {
            let first = account.list(nobody()).with(|request| {
                request.set_order(order);
                request.page_size = 3;
            });
            assert_eq!(lead_ids(&account.all(first).await), expected, "{order:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_filter_holds_alone_and_together() {
    check(async |world| {
        let account = six(world).await;
        let cases: [(&str, Change<LeadFilter>); 14] = [
            ("L1 L2 L3 L4 L5 L6", |_| {}),
            ("L1 L3 L4", |it| it.stages = vec!["New".to_owned()]),
            ("L1 L3 L4 L5", |it| it.stages = vec!["New".to_owned(), String::new()]),
            ("L2 L5", |it| it.closed = Some(true)),
            ("L1 L3 L4 L6", |it| it.closed = Some(false)),
            ("L1 L4 L6", |it| it.created = span(Some(20), Some(50))),
            ("L2", |it| it.created = span(None, Some(20))),
            ("", |it| it.created = span(Some(50), Some(20))),
            ("L2 L4 L6", |it| it.stage_entered = span(Some(80), None)),
            ("L4", |it| it.sources = vec![Source::Form.into()]),
            ("", |it| it.sources = vec![Source::Import.into()]),
            ("L1 L2 L3 L4 L5 L6", |it| it.min_time_in_stage = Some(duration(3_600))),
            ("", |it| it.min_time_in_stage = Some(duration(80 * 365 * 86_400))),
            ("L1 L4", |it| {
                it.stages = vec!["New".to_owned()];
                it.created = span(Some(20), Some(50));
                it.closed = Some(false);
            }),
        ];
        for (expected, change) in cases {
            let filter = with(LeadFilter::default(), change);
            let list = account.list(anybody()).with(|it| {
                it.filter = Some(filter.clone());
                it.set_order(LeadOrder::LeadId);
                it.include_total = true;
            });
            let answer = list.ok().await;
            assert_eq!(lead_ids(&answer.leads).join(" "), expected, "{filter:?}");
            assert_eq!(answer.total, Some(answer.leads.len() as i64), "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_filter_by_assignment_looks_at_the_present_owner() {
    check(async |world| {
        let account = six(world).await;
        let moved = account.assign("L1", "ben").ok().await.ownership.unwrap().owner_since;
        let since = |start| LeadFilter { assigned: Some(TimeRange { start, end: None }), ..Default::default() };
        let list = account.list(anybody()).with(|request| request.filter = Some(since(moved)));
        assert_eq!(lead_ids(&list.ok().await.leads), ["L1"]);
        let before = LeadFilter { assigned: Some(TimeRange { start: None, end: moved }), ..Default::default() };
        let list = account.list(of("ben")).with(|request| request.filter = Some(before));
        assert_eq!(lead_ids(&list.ok().await.leads), ["L3"]);
    })
    .await;
}

#[tokio::test]
async fn totals_and_cards_come_only_if_asked_for() {
    check(async |world| {
        let account = six(world).await;
        let plain = account.list(anybody()).ok().await;
        assert_eq!((plain.total, plain.cards.len(), plain.revision), (None, 0, 7));
        let rich = account.list(anybody()).with(|request| {
            request.page_size = 3;
            request.include_total = true;
            request.include_cards = true;
        });
        let rich = rich.ok().await;
        assert_eq!((rich.leads.len(), rich.total), (3, Some(6)));
        assert_eq!(card_ids(&rich.cards), ["anna"], "the owners in this page");
    })
    .await;
}

#[tokio::test]
async fn the_unassigned_bucket_is_stable_while_others_assign_from_it() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let leads: Vec<_> = (0..40)
            .map(|number| NewLead { created_at: Some(at(1_000 - number)), ..lead(&format!("L{number:02}")) })
            .collect();
        account.register(leads).ok().await;
        let first = account.list(nobody()).with(|request| request.page_size = 6);
        let (mut seen, mut token, mut taken) = (Vec::new(), String::new(), 0);
        loop {
            let page = first.clone().with(|request| request.page_token = token).ok().await;
            seen.extend(page.leads.iter().map(|lead| duty(lead).0.to_owned()));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
            // One that was seen and one that was not, from both ends.
            account.bulk([to(&format!("L{:02}", 39 - taken), "anna"), to(&format!("L{taken:02}"), "anna")]).ok().await;
            taken += 1;
        }
        assert!(seen.is_sorted_by(|one, next| one > next), "oldest first, nobody twice: {seen:?}");
        let stayed = (taken..40 - taken).map(|number| format!("L{number:02}"));
        stayed.for_each(|id| assert!(seen.contains(&id), "{id} was nobody's all the time: {seen:?}"));
    })
    .await;
}

#[tokio::test]
async fn page_sizes_have_a_default_and_a_limit() {
    check(async |world| {
        let account = world.account();
        for start in [0, 1_000] {
            account
                .register((start..start + 1_000).map(|number| lead(&format!("L{number}"))).collect::<Vec<_>>())
                .ok()
                .await;
        }
        for (size, length) in [(0, 100), (1, 1), (1_000, 1_000), (1_001, 1_000), (i32::MAX, 1_000)] {
            let page = account.list(nobody()).with(|request| request.page_size = size).ok().await;
            assert_eq!(page.leads.len(), length, "page size {size}");
        }
        account
            .list(nobody())
            .with(|request| request.page_size = -1)
            .refused()
            .await
            .is("INVALID_FIELD")
            .names(&["page_size"]);
        let whole = account.list(nobody()).with(|request| request.page_size = 999);
        assert_eq!(account.all(whole).await.len(), 2_000);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_the_largest_leads_is_small_enough_for_any_client() {
    check(async |world| {
        let account = world.account();
        let large = |number| {
            let attribute = |letter| (format!("{letter}{}", "a".repeat(63)), "v".repeat(256));
            let attributes = ('a'..='p').map(attribute).collect();
            NewLead { attributes, ..lead(&format!("L{number}")) }
        };
        for chunk in 0..6 {
            account.register((0..150).map(|number| large(chunk * 150 + number)).collect::<Vec<_>>()).ok().await;
        }
        let (mut listed, mut token) = (0, String::new());
        loop {
            let page = with(account.list(anybody()), |list| {
                list.request.page_size = 1_000;
                list.request.page_token = token;
            });
            let page = page.ok().await;
            assert!(page.encoded_len() < 4 * 1024 * 1024, "{}", page.encoded_len());
            listed += page.leads.len();
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, 900);
    })
    .await;
}
