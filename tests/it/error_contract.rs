//! Every reason of the catalogue is produced by a test.

use crate::support::catalogue::{catalogue, name_of};
use crate::support::pb::ErrorReason;
use crate::support::sources::text;
use crate::support::*;

/// The file and the test that produce a reason. Exhaustive: a new reason does not compile until somebody says where it
/// is shown.
fn shown_by(reason: ErrorReason) -> &'static str {
    use ErrorReason::*;
    match reason {
        Unspecified => "",
        InvalidField => "bad_input::every_bad_field_of_a_request_is_named",
        DuplicateItem => "bad_requests::the_same_lead_twice_is_refused_and_both_places_are_named",
        PageTokenInvalid => "bad_tokens::a_token_with_changed_arguments_is_refused",
        MalformedRequest => "bad_requests::every_method_refuses_an_empty_request_and_bytes_that_are_none",
        RequestTooLarge => "bad_requests::a_request_that_is_too_large_is_refused",
        RequestIdReused => "retrying_safely::another_body_or_method_under_the_same_id_is_refused",
        LeadNotFound => "assigning::a_lead_that_is_not_known_cannot_be_assigned",
        MemberNotFound => "members_and_picker::what_is_known_of_a_member_can_be_read_back",
        OwnerUnknown => "assigning::a_member_who_is_inactive_leaving_or_unknown_receives_no_lead",
        OwnerInactive => "assigning::a_member_who_is_inactive_leaving_or_unknown_receives_no_lead",
        OwnerLeaving => "assigning::a_member_who_is_inactive_leaving_or_unknown_receives_no_lead",
        OwnerMismatch => "preconditions::an_owner_who_was_not_expected_is_named",
        RevisionMismatch => "preconditions::a_stale_revision_is_refused_and_names_the_current_owner",
        ManagerUnknown => "members_and_picker::a_manager_has_to_be_known_and_may_not_report_to_the_member",
        ManagerCycle => "members_and_picker::a_manager_has_to_be_known_and_may_not_report_to_the_member",
        PositionTooOld => "trimming_history::a_position_before_the_floor_is_refused_with_the_valid_range",
        PositionInFuture => "watching_edges::a_start_in_the_future_is_refused_with_the_valid_range",
        HistoryMismatch => "watching_edges::a_start_in_another_history_is_refused",
        WatchLimitReached => "watching_edges::a_caller_holds_so_many_watches_and_no_more",
        WatchTooSlow => "watching_edges::a_reader_who_takes_nothing_is_cut_and_told_where_to_resume",
        AccountBusy => "losing_the_database::too_many_waiting_writes_are_refused_with_a_time_to_come_back",
        AccountTooLarge => "staying_fresh::an_account_larger_than_the_budget_is_refused_and_others_are_not",
        DeadlineExceeded => "bad_requests::the_deadline_of_the_caller_holds",
        StoreUnavailable => "losing_the_database::without_a_database_calls_are_refused_and_work_again_when_it_is_back",
        OutcomeUnknown => "losing_the_database::a_commit_whose_outcome_cannot_be_told_says_so_and_a_repeat_tells",
        Draining => "watching_edges::a_watch_of_a_draining_replica_ends_with_the_place_to_resume",
        MethodUnknown => "bad_requests::what_does_not_exist_is_called_so",
        CredentialsMissing => "proving_identity::without_a_token_nothing_is_answered_but_health_and_reflection",
        TokenInvalid => "proving_identity::what_no_key_of_the_issuer_has_signed_is_no_token",
        IdentityExpired => "proving_identity::a_stream_ends_with_the_identity_of_its_reader",
        KeysUnavailable => "proving_identity::keys_that_cannot_be_read_are_trusted_for_a_while_and_then_nobody_is",
        CallerUnknown => "encrypting_connections::programs_are_let_in_by_the_names_in_their_papers",
        MethodNotAllowed => "telling_callers_apart::each_role_has_the_methods_that_are_promised_and_no_other",
        AccountNotAllowed => "telling_callers_apart::a_caller_uses_the_accounts_of_its_token_and_no_other",
        MemberNotAllowed => "telling_callers_apart::only_services_act_for_others",
        Internal => "error_contract::a_defect_is_told_by_an_incident_that_the_log_explains",
    }
}

#[test]
fn every_reason_is_produced_by_the_test_that_is_named_for_it() {
    for reason in catalogue().keys() {
        let known = ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}")).expect("a reason of the enum");
        let (file, test) = shown_by(known).split_once("::").expect("a file and a test");
        let source = text(format!("tests/it/{file}.rs"));
        let start =
            source.find(&format!("async fn {test}()")).unwrap_or_else(|| panic!("{file}.rs has no test {test}"));
        let body = &source[start..];
        let body = &body[..body.find("\n}\n").expect("the end of the test")];
        assert!(body.contains(&format!("\"{reason}\"")), "{file}.rs: {test} does not produce {reason}");
    }
}

#[test]
fn every_reason_names_its_code_and_its_metadata() {
    assert!(catalogue().len() >= 36);
    let codes: Vec<_> = (1..17).map(|code| name_of(Code::from_i32(code))).collect();
    for (reason, entry) in catalogue() {
        assert!(codes.contains(&entry.code), "{reason} says {:?}", entry.code);
    }
}

#[tokio::test]
async fn a_defect_is_told_by_an_incident_that_the_log_explains() {
    check(async |world| {
        let (account, healthy) = (world.account(), world.account());
        account.leads(["L1"]).await;
        healthy.leads(["L1"]).await;
        let sql = world.sql().await;
        let with = |attributes: &str| {
            format!("update lead set attributes = '{attributes}' where account_id = '{}'", account.id)
        };
        assert_eq!(sql.run(with("not json")).await, 1);
        world.restart(0);
        let damaged = account.through(world, 0);
        let refusal = damaged.owner("L1").refused().await.is("INTERNAL");
        let incident = refusal.metadata["incident_id"].clone();
        assert!(!incident.is_empty() && !refusal.message.contains("json"), "{refusal:?}");
        eventually("the log has the cause", async || world.replicas[0].log().contains(&incident).then_some(())).await;
        assert_eq!(healthy.through(world, 0).owner_of("L1").await, None, "one damaged account harms no other");
        sql.run(with("{}")).await;
        assert_eq!(damaged.owner_of("L1").await, None);
    })
    .await;
}
