//! Who can own leads, and how they are found.

use crate::support::pb::Member;
use crate::support::*;

fn named(id: &str, name: &str) -> Member {
    Member { display_name: name.to_owned(), ..member(id) }
}

fn ids(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| member.member_id.as_str()).collect()
}

#[tokio::test]
async fn what_is_known_of_a_member_can_be_read_back() {
    check(async |world| {
        let account = world.account();
        account.members(["mia"]).await;
        let anna = Member {
            display_name: "Anna von Müller".to_owned(),
            avatar_url: "https://img.example.com/anna.png".to_owned(),
            manager_id: Some("mia".to_owned()),
            standing: Standing::Leaving.into(),
            capacity: Some(7),
            observed_at: Some(at(1_000)),
            ..member("anna")
        };
        let answer = account.upsert([anna.clone()]).ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Registered, 2));
        let read = account.get_member("anna").ok().await;
        assert_eq!(read.member.unwrap(), Member { initials: "AM".to_owned(), ..anna.clone() });
        assert_eq!((read.open_leads, read.closed_leads, read.revision), (0, 0, 2));
        // A member is replaced as a whole: what is left out is gone, but the standing stays.
        account.upsert([Member { observed_at: Some(at(2_000)), ..member("anna") }]).ok().await;
        let read = account.get_member("anna").ok().await.member.unwrap();
        assert_eq!((read.manager_id.clone(), read.capacity, read.standing()), (None, None, Standing::Leaving));
        account.get_member("ghost").refused().await.is("MEMBER_NOT_FOUND").says("member_id", "ghost");
    })
    .await;
}

#[tokio::test]
async fn an_older_member_never_overwrites_a_newer() {
    check(async |world| {
        let account = world.account();
        account.upsert([Member { observed_at: Some(at(500)), ..named("anna", "Anna B") }]).ok().await;
        let old = Member { observed_at: Some(at(499)), ..named("anna", "Anna A") };
        let answer = account.upsert([old, named("ben", "Ben")]).ok().await;
        let outcomes: Vec<_> = answer.results.iter().map(|result| result.outcome()).collect();
        assert_eq!(outcomes, [Outcome::Stale, Outcome::Registered]);
        assert_eq!(account.get_member("anna").ok().await.member.unwrap().display_name, "Anna B");
    })
    .await;
}

#[tokio::test]
async fn repeating_what_is_known_makes_no_revision() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let answer = account.upsert([member("anna")]).ok().await;
        assert_eq!((answer.results[0].outcome(), answer.revision), (Outcome::Unchanged, 1));
    })
    .await;
}

#[tokio::test]
async fn a_manager_has_to_be_known_and_may_not_report_to_the_member() {
    check(async |world| {
        let account = world.account();
        let under = |id: &str, manager: &str| Member { manager_id: Some(manager.to_owned()), ..member(id) };
        let refusal = account.upsert([member("anna"), under("ben", "ghost")]).refused().await.is("MANAGER_UNKNOWN");
        refusal.says("member_id", "ben").says("manager_id", "ghost").says("item_index", 1);
        assert_eq!(account.revision().await, 0, "all or none");
        account.upsert([under("anna", "anna")]).refused().await.is("MANAGER_CYCLE").says("manager_id", "anna");
        // Manager and member may come together, in any order.
        account.upsert([under("ben", "anna"), member("anna"), under("cem", "ben")]).ok().await;
        let refusal = account.upsert([under("anna", "cem")]).refused().await.is("MANAGER_CYCLE");
        refusal.says("member_id", "anna").says("manager_id", "cem").says("item_index", 0);
        account.upsert([under("dora", "emil"), under("emil", "dora")]).refused().await.is("MANAGER_CYCLE");
    })
    .await;
}

#[tokio::test]
async fn the_picker_lists_active_members_by_name_whatever_the_case() {
    check(async |world| {
        let account = world.account();
        let names =
            [("m4", "anna"), ("m2", "Ben Adams"), ("m3", "ÄNNE"), ("m5", "Anna"), ("m1", "Cem"), ("m6", "Dora")];
        account.upsert(names.map(|(id, name)| named(id, name))).ok().await;
        account.deactivate("m1").ok().await;
        account.upsert([Member { standing: Standing::Leaving.into(), ..named("m6", "Dora") }]).ok().await;
        assert_eq!(ids(&account.picker("").ok().await.members), ["m4", "m5", "m2", "m3"]);
        assert_eq!(ids(&account.picker("aNN").ok().await.members), ["m4", "m5"]);
        assert_eq!(ids(&account.picker("ad").ok().await.members), ["m2"], "a word of the name");
        assert_eq!(ids(&account.picker("än").ok().await.members), ["m3"]);
        assert!(account.picker("nn").ok().await.members.is_empty());
        let all = account.picker("").with(|request| request.include_all_standings = true).ok().await.members;
        assert_eq!(ids(&all), ["m4", "m5", "m2", "m1", "m6", "m3"]);
        let card = &account.picker("ben").ok().await.members[0];
        assert_eq!(
            (card.display_name.as_str(), card.initials.as_str(), card.email.as_str()),
            ("Ben Adams", "BA", "m2@example.com")
        );
    })
    .await;
}

#[tokio::test]
async fn who_is_there_during_the_whole_walk_appears_exactly_once() {
    check(async |world| {
        let account = world.account();
        account
            .upsert(
                (0..25)
                    .map(|number| named(&format!("m{number:02}"), &format!("Name {:02}", 99 - number)))
                    .collect::<Vec<_>>(),
            )
            .ok()
            .await;
        let first = account.picker("name").with(|request| request.page_size = 7);
        let (mut seen, mut token, mut round) = (Vec::new(), String::new(), 0);
        loop {
            let page = first.clone().with(|request| request.page_token = token).ok().await;
            assert!(page.members.len() <= 7);
            seen.extend(page.members.iter().map(|member| member.member_id.clone()));
            round += 1;
            account.upsert([named(&format!("new{round}"), &format!("Name {:02}a", 70 + round))]).ok().await;
            account.deactivate(&format!("m{:02}", 24 - round)).ok().await;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let stayed: Vec<_> = (0..20).map(|number| format!("m{number:02}")).collect();
        for id in &stayed {
            assert_eq!(seen.iter().filter(|member| *member == id).count(), 1, "{id} in {seen:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn deactivating_leaves_the_leads_and_says_how_many_there_are() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account
            .register([owned("L1", "anna"), owned("L2", "anna"), pb::NewLead { closed: true, ..owned("L3", "anna") }])
            .ok()
            .await;
        let answer = account.deactivate("anna").ok().await;
        assert_eq!(
            (answer.outcome(), answer.open_leads, answer.closed_leads, answer.revision),
            (Outcome::Updated, 2, 1, 3)
        );
        let again = account.deactivate("anna").ok().await;
        assert_eq!(
            (again.outcome(), again.open_leads, again.closed_leads, again.revision),
            (Outcome::Unchanged, 2, 1, 3)
        );
        let read = account.get_member("anna").ok().await;
        assert_eq!((read.member.unwrap().standing(), read.open_leads, read.closed_leads), (Standing::Inactive, 2, 1));
        assert_eq!(account.list(of("anna")).ok().await.leads.len(), 3);
        account.deactivate("ghost").refused().await.is("MEMBER_NOT_FOUND").says("member_id", "ghost");
        account.standing("anna", Standing::Active).await;
        assert_eq!(account.get_member("anna").ok().await.member.unwrap().standing(), Standing::Active);
    })
    .await;
}
