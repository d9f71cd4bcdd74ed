//! Each rule of the contract at its limit and one beyond, and where a violation is said to be.

use std::iter::repeat_n;

use ownership_proto::{MAX_VIOLATIONS, Validate, v1};
use prost_types::{Duration, Timestamp};

const ID_RULE: &str = "must be 1 to 64 characters: letters, digits, `_` and `-`, starting with a letter or digit";
const NO_CONTROL: &str = "must not contain control characters";
const MOMENT: &str = "must be a moment of the years 0001 to 9999, with 0 to 999999999 nanoseconds";

fn fields(message: &impl Validate) -> Vec<String> {
    message.violations().into_iter().map(|violation| violation.field).collect()
}

#[track_caller]
fn accepts(message: &impl Validate) {
    assert_eq!(message.violations(), []);
}

#[track_caller]
fn refuses(message: &impl Validate, field: &str, description: &str) {
    let found: Vec<_> = message.violations().into_iter().map(|it| (it.field, it.description)).collect();
    assert_eq!(found, [(field.to_owned(), description.to_owned())]);
}

fn get_owner(lead_id: &str) -> v1::GetOwnerRequest {
    v1::GetOwnerRequest { account_id: "acme".into(), lead_id: lead_id.into(), ..Default::default() }
}

fn member() -> v1::Member {
    v1::Member { member_id: "ann".into(), display_name: "Ann".into(), ..Default::default() }
}

fn lead() -> v1::NewLead {
    v1::NewLead { lead_id: "l1".into(), ..Default::default() }
}

fn register(leads: Vec<v1::NewLead>) -> v1::RegisterLeadsRequest {
    v1::RegisterLeadsRequest { account_id: "acme".into(), leads, ..Default::default() }
}

fn watch(progress_interval: Duration) -> v1::WatchOwnerChangesRequest {
    v1::WatchOwnerChangesRequest {
        account_id: "acme".into(),
        progress_interval: Some(progress_interval),
        ..Default::default()
    }
}

#[test]
fn an_id_has_1_to_64_characters_of_its_alphabet() {
    for id in ["a", "Z", "0", "a_-9", &"x".repeat(64)] {
        accepts(&get_owner(id));
    }
    for id in ["", "_a", "-a", "a b", "a.b", "ä", "a\n", "a\0", &"x".repeat(65)] {
        refuses(&get_owner(id), "lead_id", ID_RULE);
    }
}

#[test]
fn text_has_no_control_characters() {
    let because = |reason: &str| v1::WriteContext { reason: reason.into(), ..Default::default() };
    accepts(&because("ça va, 日本語, \u{202e}"));
    for reason in ["\0", "a\nb", "\u{7f}", "\u{85}"] {
        refuses(&because(reason), "reason", NO_CONTROL);
    }
}

#[test]
fn max_bytes_counts_bytes_of_utf8() {
    let because = |reason: String| v1::WriteContext { reason, ..Default::default() };
    accepts(&because("ä".repeat(256)));
    refuses(&because("ä".repeat(256) + "b"), "reason", "must have at most 512 bytes");
}

#[test]
fn max_len_counts_characters() {
    accepts(&v1::Member { initials: "日本語ä".into(), ..member() });
    let five = v1::Member { initials: "abcde".into(), ..member() };
    refuses(&five, "initials", "must have at most 4 characters");
}

#[test]
fn min_len_refuses_less() {
    accepts(&v1::Member { display_name: "A".into(), ..member() });
    refuses(&v1::Member { display_name: String::new(), ..member() }, "display_name", "must not be empty");
}

#[test]
fn a_request_id_is_a_uuid_or_empty() {
    let with = |id: &str| v1::WriteContext { request_id: id.into(), ..Default::default() };
    for id in ["", "0193a5d0-7c1e-7d3a-9f00-0123456789ab", "0193A5D0-7C1E-7D3A-9F00-0123456789AB"] {
        accepts(&with(id));
    }
    for id in [
        "0193a5d07c1e7d3a9f000123456789ab",
        "0193a5d0-7c1e-7d3a-9f00-0123456789a",
        "0193a5d0-7c1e-7d3a-9f00-0123456789abc",
        "0193a5d0-7c1e-7d3a-9f000-123456789ab",
        "0193a5d0-7c1e-7d3a-9f00-0123456789ag",
        "{193a5d0-7c1e-7d3a-9f00-0123456789a}",
    ] {
        refuses(&with(id), "request_id", "must be a UUID");
    }
}

#[test]
fn an_email_is_what_a_browser_takes_for_one() {
    let with = |email: &str| v1::Member { email: email.into(), ..member() };
    let longest_label = format!("a@{}.com", "b".repeat(63));
    for email in ["", "ann@example.com", "a.b+c@x-y.example", "!#$%&'*+/=?^_`{|}~-@a", &longest_label] {
        accepts(&with(email));
    }
    let long_label = format!("a@{}.com", "b".repeat(64));
    for email in [
        "ann",
        "@example.com",
        "ann@",
        "a@b@c",
        "a b@c",
        "a@b..c",
        "a@-b",
        "a@b-",
        "a@b_c",
        "ä@b",
        "Ann <a@b.c>",
        &long_label,
    ] {
        refuses(&with(email), "email", "must be an e-mail address");
    }
}

#[test]
fn an_email_that_may_not_be_empty_is_refused_when_it_is() {
    let sender = v1::DefaultSender { name: "Team".into(), email: String::new() };
    refuses(&sender, "email", "must be an e-mail address");
}

#[test]
fn an_avatar_is_a_web_address_or_empty() {
    let with = |url: &str| v1::Member { avatar_url: url.into(), ..member() };
    for url in ["", "http://x", "https://example.com/a.png?b=c#d"] {
        accepts(&with(url));
    }
    for url in
        ["https://", "ftp://x", "javascript:alert(1)", " https://x", "https://x y", "https://x\ty", "https://x\n"]
    {
        refuses(&with(url), "avatar_url", "must be an http or https address without spaces");
    }
}

#[test]
fn numbers_start_at_their_limit() {
    let page = |page_size| v1::ListMembersRequest { account_id: "acme".into(), page_size, ..Default::default() };
    accepts(&page(0));
    accepts(&page(i32::MAX));
    refuses(&page(-1), "page_size", "must be at least 0");
    let since = |after_revision| v1::ListOwnerChangesRequest {
        account_id: "acme".into(),
        after_revision,
        ..Default::default()
    };
    accepts(&since(0));
    accepts(&since(i64::MAX));
    refuses(&since(-1), "after_revision", "must be at least 0");
}

#[test]
fn an_optional_field_is_checked_only_when_present() {
    let with = |capacity| v1::Member { capacity, ..member() };
    accepts(&with(None));
    accepts(&with(Some(0)));
    refuses(&with(Some(-1)), "capacity", "must be at least 0");
    let acting_for = |member_id| v1::WriteContext { member_id, ..Default::default() };
    accepts(&acting_for(None));
    refuses(&acting_for(Some(String::new())), "member_id", ID_RULE);
}

#[test]
fn an_enum_has_a_value_the_contract_names() {
    let with = |standing| v1::Member { standing, ..member() };
    accepts(&with(0));
    accepts(&with(3));
    for standing in [-1, 4] {
        let names = "STANDING_UNSPECIFIED, STANDING_ACTIVE, STANDING_LEAVING, STANDING_INACTIVE";
        refuses(&with(standing), "standing", &format!("must be one of {names}"));
    }
}

#[test]
fn a_filter_names_no_unspecified_value() {
    let with = |sources| v1::LeadFilter { sources, ..Default::default() };
    accepts(&with(vec![1, 8]));
    assert_eq!(fields(&with(vec![1, 0, 9])), ["sources[1]", "sources[2]"]);
    let [violation] = &with(vec![0]).violations()[..] else { panic!("one violation") };
    assert!(violation.description.starts_with("must be one of SOURCE_UI, "), "{violation}");
}

#[test]
fn a_list_has_as_many_items_as_it_may() {
    accepts(&register(vec![lead()]));
    accepts(&register(vec![lead(); 1_000]));
    refuses(&register(Vec::new()), "leads", "must not be empty");
    refuses(&register(vec![lead(); 1_001]), "leads", "must have at most 1000 entries");
}

#[test]
fn items_are_checked_one_by_one() {
    let forget = v1::ForgetLeadsRequest {
        account_id: "acme".into(),
        lead_ids: ["a", "b c", "d", ""].map(String::from).into(),
        ..Default::default()
    };
    assert_eq!(fields(&forget), ["lead_ids[1]", "lead_ids[3]"]);
}

#[test]
fn a_map_has_as_many_entries_as_it_may() {
    let with = |entries: usize| v1::NewLead {
        attributes: (0..entries).map(|number| (format!("a{number}"), String::new())).collect(),
        ..lead()
    };
    accepts(&with(16));
    refuses(&with(17), "attributes", "must have at most 16 entries");
}

#[test]
fn keys_and_values_of_a_map_are_told_apart() {
    let with = |key: &str, value: &str| {
        let attributes = [(key.to_owned(), value.to_owned())].into();
        register(vec![v1::NewLead { attributes, ..lead() }])
    };
    accepts(&with("region", &"x".repeat(256)));
    refuses(
        &with("Bad Key", "x"),
        r#"leads[0].attributes["Bad Key"]"#,
        "key must be 1 to 64 characters: lower-case letters, digits and `_`, starting with a letter",
    );
    refuses(&with("region", &"x".repeat(257)), r#"leads[0].attributes["region"]"#, "must have at most 256 bytes");
    refuses(&with("region", "\0"), r#"leads[0].attributes["region"]"#, NO_CONTROL);
}

#[test]
fn a_hostile_key_does_not_reach_the_path_as_it_is() {
    let attributes = [(format!("\"\n{}", "x".repeat(500)), String::new())].into();
    let shown = format!(r#"attributes["\"\n{}"…]"#, "x".repeat(62));
    assert_eq!(fields(&v1::NewLead { attributes, ..lead() }), [shown]);
}

#[test]
fn a_required_message_is_present() {
    let with = |observed_at| v1::LeadUpdate { lead_id: "l1".into(), observed_at, ..Default::default() };
    accepts(&with(Some(Timestamp::default())));
    refuses(&with(None), "observed_at", "must be set");
    refuses(&with(Some(Timestamp { seconds: 0, nanos: -1 })), "observed_at", MOMENT);
}

#[test]
fn a_required_oneof_is_set() {
    let with = |target| v1::BulkAssignItem { lead_id: "l1".into(), target, ..Default::default() };
    accepts(&with(Some(v1::bulk_assign_item::Target::Unassign(()))));
    accepts(&with(Some(v1::bulk_assign_item::Target::OwnerId("ann".into()))));
    refuses(&with(Some(v1::bulk_assign_item::Target::OwnerId(String::new()))), "owner_id", ID_RULE);
    refuses(&with(None), "target", "must be set: `owner_id` or `unassign`");
}

#[test]
fn a_oneof_that_is_not_required_may_be_unset() {
    let with = |level| v1::Consistency { level };
    accepts(&with(None));
    accepts(&with(Some(v1::consistency::Level::AtLeastRevision(0))));
    refuses(&with(Some(v1::consistency::Level::AtLeastRevision(-1))), "at_least_revision", "must be at least 0");
}

#[test]
fn a_timestamp_lies_in_the_years_1_to_9999() {
    let created = |seconds, nanos| v1::NewLead { created_at: Some(Timestamp { seconds, nanos }), ..lead() };
    accepts(&created(-62_135_596_800, 0));
    accepts(&created(253_402_300_799, 999_999_999));
    for (seconds, nanos) in [(-62_135_596_801, 0), (253_402_300_800, 0), (0, -1), (0, 1_000_000_000), (i64::MIN, 0)] {
        refuses(&created(seconds, nanos), "created_at", MOMENT);
    }
}

#[test]
fn a_duration_keeps_its_limits() {
    let seconds = |seconds, nanos| watch(Duration { seconds, nanos });
    accepts(&seconds(1, 0));
    accepts(&seconds(60, 0));
    refuses(&seconds(0, 999_999_999), "progress_interval", "must be at least 1s");
    refuses(&seconds(60, 1), "progress_interval", "must be at most 60s");
}

#[test]
fn a_duration_is_one_that_protobuf_can_mean() {
    const RULE: &str = "must be within 10,000 years, with at most 999999999 nanoseconds of the same sign";
    let with =
        |seconds, nanos| v1::LeadFilter { min_time_in_stage: Some(Duration { seconds, nanos }), ..Default::default() };
    accepts(&with(0, 0));
    accepts(&with(315_576_000_000, 999_999_999));
    refuses(&with(0, -1), "min_time_in_stage", "must be at least 0s");
    for (seconds, nanos) in [(315_576_000_001, 0), (1, -1), (1, 1_000_000_000), (i64::MAX, i32::MAX)] {
        refuses(&with(seconds, nanos), "min_time_in_stage", RULE);
    }
}

#[test]
fn every_violation_is_reported_with_its_path() {
    let request = v1::BulkAssignRequest {
        account_id: "-".into(),
        items: vec![
            v1::BulkAssignItem {
                lead_id: "l1".into(),
                target: Some(v1::bulk_assign_item::Target::Unassign(())),
                precondition: None,
            },
            v1::BulkAssignItem {
                lead_id: String::new(),
                target: None,
                precondition: Some(v1::Precondition { kind: None }),
            },
        ],
        failure_mode: 7,
        context: Some(v1::WriteContext { request_id: "x".into(), ..Default::default() }),
        notify_new_owner: None,
    };
    assert_eq!(
        fields(&request),
        [
            "account_id",
            "items[1].lead_id",
            "items[1].target",
            "items[1].precondition.kind",
            "failure_mode",
            "context.request_id",
        ]
    );
}

#[test]
fn one_field_may_break_several_rules() {
    let stage = format!("{}\0", "x".repeat(64));
    let rules: Vec<_> = v1::NewLead { stage, ..lead() }.violations().iter().map(ToString::to_string).collect();
    assert_eq!(rules, ["stage must have at most 64 bytes", "stage must not contain control characters"]);
}

#[test]
fn a_report_ends_after_1000_violations() {
    let leads: Vec<_> = repeat_n(v1::NewLead::default(), 5_000).collect();
    let found = register(leads).violations();
    assert_eq!(found.len(), MAX_VIOLATIONS);
    assert_eq!(found[0].field, "leads");
    assert_eq!(found[999].field, "leads[998].lead_id");
}
