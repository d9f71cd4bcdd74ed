//! Writes that say what the contract does not allow: each field at its limit and one beyond.

use crate::support::pb::{DefaultSender, LeadUpdate, Member, NewLead, Settings, WriteContext};
use crate::support::*;

fn x(count: usize) -> String {
    "x".repeat(count)
}

/// A moment that no clock shows.
fn moment(seconds: i64, nanos: i32) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos })
}

#[tokio::test]
async fn ids_have_one_shape_everywhere() {
    check(async |world| {
        let account = world.account();
        for id in ["a", "Z-_9", &x(64)] {
            account.register([lead(id)]).ok().await;
            account.upsert([member(id)]).ok().await;
            assert_eq!(account.assign(id, id).ok().await.outcome(), Outcome::Assigned, "{id}");
        }
        let before = account.revision().await;
        let spaces = ["", " ", "a b", "a\n", "a\0", "a\u{200b}", "\u{feff}a"];
        let signs = ["-a", "_a", "a/b", "a.b", "a%", "ä", "'; --", &x(65), &x(5_000)];
        for id in spaces.into_iter().chain(signs) {
            account.assign(id, "a").refused_for("lead_id").await;
            account.assign("a", id).refused_for("owner_id").await;
            account.bulk([to("a", "a"), to(id, "a")]).refused_for("items[1].lead_id").await;
            account.bulk([to("a", id)]).refused_for("items[0].owner_id").await;
            account.register([owned("new", id)]).refused_for("leads[0].owner_id").await;
            account.owners(["a", "b", id]).refused_for("lead_ids[2]").await;
            account.list(of(id)).refused_for("owner_id").await;
            account.get_member(id).refused_for("member_id").await;
            account.unassign("a").acting_for(id).refused_for("context.member_id").await;
            account.unassign("a").batch(id).refused_for("context.batch_id").await;
            account.assign("a", "a").if_owner(id).refused_for("precondition.owner_id").await;
            world.account_named(id).settings().refused_for("account_id").await;
        }
        assert_eq!(account.revision().await, before);
    })
    .await;
}

#[tokio::test]
async fn every_bad_field_of_a_request_is_named() {
    check(async |world| {
        let items = [to("L 1", "anna"), to("L2", ""), pb::BulkAssignItem::default()];
        let call = world.account_named("no/account").bulk(items).once("no uuid");
        let mut fields = call.refused().await.is("INVALID_FIELD").says("violation_count", 6).fields;
        fields.sort();
        let [account, request, first] = ["account_id", "context.request_id", "items[0].lead_id"];
        assert_eq!(fields, [account, request, first, "items[1].owner_id", "items[2].lead_id", "items[2].target"]);
    })
    .await;
}

#[tokio::test]
async fn what_a_write_says_about_itself_has_limits() {
    check(async |world| {
        let account = world.account();
        account.leads(["L1"]).await;
        let unassign = |change: Change<WriteContext>| {
            account.unassign("L1").with(|request| request.context = Some(with(WriteContext::default(), change)))
        };
        unassign(|it| it.reason = x(512)).ok().await;
        unassign(|it| it.reason = "ü".repeat(256)).ok().await;
        unassign(|it| it.batch_id = Some(x(64))).ok().await;
        let bad: [(&str, Change<WriteContext>); 13] = [
            ("reason", |it| it.reason = x(513)),
            ("reason", |it| it.reason = "ü".repeat(256) + "x"),
            ("reason", |it| it.reason = "a\0b".to_owned()),
            ("reason", |it| it.reason = "a\nb".to_owned()),
            ("reason", |it| it.reason = "a\u{1b}[31m".to_owned()),
            ("reason", |it| it.reason = "a\u{85}b".to_owned()),
            ("request_id", |it| it.request_id = x(36)),
            ("request_id", |it| it.request_id = "\0".to_owned()),
            ("request_id", |it| it.request_id = "6f9619ff8b864d01b42d00cf4fc964ff".to_owned()),
            ("request_id", |it| it.request_id = "6f9619ff-8b86-4d01-b42d-00cf4fc964f".to_owned()),
            ("batch_id", |it| it.batch_id = Some(x(65))),
            ("source", |it| it.source = 99),
            ("source", |it| it.source = -1),
        ];
        for (field, change) in bad {
            unassign(change).refused_for(&format!("context.{field}")).await;
        }
        assert_eq!(account.revision().await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_allowed_is_kept_as_it_is() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        let odd = "'; drop table fact; -- ${x} <b> %s \u{202e}";
        account.register([with(lead("L1"), |it| it.stage = odd.to_owned())]).ok().await;
        account.assign("L1", "anna").reason(odd).ok().await;
        assert_eq!(account.get_lead("L1").ok().await.lead.unwrap().stage, odd);
        assert_eq!(account.timeline("L1").ok().await.changes[1].reason, odd);
    })
    .await;
}

#[tokio::test]
async fn preconditions_and_modes_have_limits() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.leads(["L1"]).await;
        let unset = account.assign("L1", "anna").with(|it| it.precondition = Some(Default::default()));
        unset.refused_for("precondition.kind").await;
        account.assign("L1", "anna").if_revision(-1).refused_for("precondition.revision").await;
        account.assign("L1", "anna").if_revision(i64::MAX).refused().await.is("REVISION_MISMATCH");
        account.bulk([to("L1", "anna")]).with(|it| it.failure_mode = 7).refused_for("failure_mode").await;
        assert_eq!(account.revision().await, 2);
    })
    .await;
}

fn attributes(lead: &mut NewLead, count: usize, key: &str, value: &str) {
    lead.attributes = (0..count).map(|number| (format!("{key}{number}"), value.to_owned())).collect();
}

#[tokio::test]
async fn what_is_known_of_a_lead_has_limits() {
    check(async |world| {
        let account = world.account();
        let good: [Change<NewLead>; 3] =
            [|it| it.stage = x(64), |it| attributes(it, 16, &x(62), &x(256)), |it| it.created_at = Some(at(-1))];
        for (number, change) in good.into_iter().enumerate() {
            account.register([with(lead(&format!("L{number}")), change)]).ok().await;
        }
        let bad: [(&str, Change<NewLead>); 11] = [
            ("stage", |it| it.stage = x(65)),
            ("stage", |it| it.stage = "a\0".to_owned()),
            ("attributes", |it| attributes(it, 17, "k", "")),
            ("attributes[\"Big0\"]", |it| attributes(it, 1, "Big", "")),
            ("attributes[\"k0\"]", |it| attributes(it, 1, "k", &x(257))),
            ("attributes[\"k0\"]", |it| attributes(it, 1, "k", "\u{7}")),
            ("created_at", |it| it.created_at = moment(0, -1)),
            ("created_at", |it| it.created_at = moment(0, 1_000_000_000)),
            ("created_at", |it| it.created_at = moment(253_402_300_800, 0)),
            ("stage_entered_at", |it| it.stage_entered_at = moment(i64::MAX, 0)),
            ("observed_at", |it| it.observed_at = moment(i64::MIN, 0)),
        ];
        for (field, change) in bad {
            account.register([with(lead("B"), change)]).refused_for(&format!("leads[0].{field}")).await;
        }
        account.register([]).refused_for("leads").await;
        let unobserved = with(LeadUpdate::default(), |it| it.lead_id = "L1".to_owned());
        account.update([unobserved]).refused_for("updates[0].observed_at").await;
        account.forget(Vec::<String>::new()).refused_for("lead_ids").await;
        assert_eq!(account.revision().await, 3);
    })
    .await;
}

#[tokio::test]
async fn what_is_known_of_a_member_has_limits() {
    check(async |world| {
        let account = world.account();
        let good: [Change<Member>; 4] = [
            |it| it.display_name = x(256),
            |it| it.initials = "ÄÖÜß".to_owned(),
            |it| it.avatar_url = format!("https://{}", x(2_040)),
            |it| it.capacity = Some(0),
        ];
        for (number, change) in good.into_iter().enumerate() {
            account.upsert([with(member(&format!("m{number}")), change)]).ok().await;
        }
        let bad: [(&str, Change<Member>); 10] = [
            ("display_name", |it| it.display_name = x(257)),
            ("display_name", |it| it.display_name = String::new()),
            ("display_name", |it| it.display_name = "a\tb".to_owned()),
            ("initials", |it| it.initials = x(5)),
            ("email", |it| it.email = "no address".to_owned()),
            ("email", |it| it.email = "a@b@c".to_owned()),
            ("avatar_url", |it| it.avatar_url = "javascript:alert(1)".to_owned()),
            ("avatar_url", |it| it.avatar_url = format!("https://{}", x(2_041))),
            ("capacity", |it| it.capacity = Some(-1)),
            ("standing", |it| it.standing = 9),
        ];
        for (field, change) in bad {
            account.upsert([with(member("b"), change)]).refused_for(&format!("members[0].{field}")).await;
        }
        let long = |length: usize| format!("{}@{}.com", x(64), vec![x(60); 4].join("."))[..length].to_owned();
        account.upsert([with(member("b"), |it| it.email = long(255))]).refused().await.is("INVALID_FIELD");
        account.picker(&x(257)).refused_for("name_prefix").await;
        assert_eq!(account.revision().await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_default_sender_has_a_name_and_an_address() {
    check(async |world| {
        let account = world.account();
        let sender = |name: &str, email: &str| {
            let sender = DefaultSender { name: name.to_owned(), email: email.to_owned() };
            account.set_settings(Settings { default_sender: Some(sender), ..Default::default() })
        };
        sender("", "a@example.com").refused_for("settings.default_sender.name").await;
        sender("A\n", "a@example.com").refused_for("settings.default_sender.name").await;
        sender("A", "").refused_for("settings.default_sender.email").await;
        sender("A", "Team <a@example.com>").refused_for("settings.default_sender.email").await;
        sender(&x(256), "a@example.com").ok().await;
    })
    .await;
}
