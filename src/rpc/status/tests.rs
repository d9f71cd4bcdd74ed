//! Every error of the service as its caller is told.

use std::sync::Arc;

use ownership_proto::v1::ErrorReason as Reason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::*;
use crate::context::Moment;
use crate::domain::ids::{LeadId, MemberId};
use crate::domain::outcome::{LeadState, Refusal};
use crate::domain::time::Timestamp;
use crate::ledger::Error as E;

fn lead() -> LeadId {
    LeadId::parse("L1").unwrap()
}

fn member(id: &str) -> MemberId {
    MemberId::parse(id).unwrap()
}

fn state(owner: Option<&str>) -> LeadState {
    LeadState { lead: lead(), owner: owner.map(member), revision: Revision(7) }
}

fn whole(refusal: Refusal) -> E {
    Refused::Whole(refusal).into()
}

/// Code, reason and metadata keys of an error.
fn told(error: &E) -> (Code, String, Vec<String>) {
    let status = Status::from(Failure::from(error));
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, DOMAIN);
    let mut keys: Vec<_> = info.metadata.into_keys().collect();
    keys.sort();
    (status.code(), info.reason, keys)
}

/// An error, and its code, reason and metadata keys.
type Case = (E, Code, &'static str, &'static [&'static str]);

const OF_LEAD: &[&str] = &["current_owner_id", "current_revision", "lead_id"];
const OF_RANGE: &[&str] = &["floor_revision", "head_revision", "requested"];
const OF_MANAGER: &[&str] = &["manager_id", "member_id"];

fn refusals() -> Vec<Case> {
    use Code::{Aborted, FailedPrecondition as Failed, NotFound};
    let (a, b) = (|| member("a"), || member("b"));
    vec![
        (whole(Refusal::LeadNotFound { lead: lead() }), NotFound, "LEAD_NOT_FOUND", &["lead_id"]),
        (whole(Refusal::MemberNotFound { member: a() }), NotFound, "MEMBER_NOT_FOUND", &["member_id"]),
        (whole(Refusal::OwnerUnknown { owner: a() }), Failed, "OWNER_UNKNOWN", &["owner_id"]),
        (whole(Refusal::OwnerInactive { owner: a() }), Failed, "OWNER_INACTIVE", &["owner_id"]),
        (whole(Refusal::OwnerLeaving { owner: a() }), Failed, "OWNER_LEAVING", &["owner_id"]),
        (whole(Refusal::OwnerMismatch(state(Some("a")))), Failed, "OWNER_MISMATCH", OF_LEAD),
        (whole(Refusal::OwnerMismatch(state(None))), Failed, "OWNER_MISMATCH", &OF_LEAD[1..]),
        (whole(Refusal::RevisionMismatch(state(Some("a")))), Aborted, "REVISION_MISMATCH", OF_LEAD),
        (whole(Refusal::SettingsChanged { current: Revision(9) }), Aborted, "REVISION_MISMATCH", &["current_revision"]),
        (whole(Refusal::ManagerUnknown { member: a(), manager: b() }), Failed, "MANAGER_UNKNOWN", OF_MANAGER),
        (whole(Refusal::ManagerCycle { member: a(), manager: b() }), Failed, "MANAGER_CYCLE", OF_MANAGER),
    ]
}

fn what_is_not_there() -> Vec<Case> {
    let (floor, head, requested) = (Revision(1), Revision(9), Moment::Revision(Revision(3)));
    let of_history: &[&str] = &["floor_revision", "head_revision", "history_id"];
    let time = Moment::Time(Timestamp(i64::MAX));
    vec![
        (E::LeadNotFound(lead()), Code::NotFound, "LEAD_NOT_FOUND", &["lead_id"]),
        (E::MemberNotFound(member("a")), Code::NotFound, "MEMBER_NOT_FOUND", &["member_id"]),
        (E::PageToken, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &[]),
        (E::TooOld { requested, floor, head }, Code::OutOfRange, "POSITION_TOO_OLD", OF_RANGE),
        (E::InFuture { requested, floor, head }, Code::OutOfRange, "POSITION_IN_FUTURE", OF_RANGE),
        (E::InFuture { requested: time, floor, head }, Code::OutOfRange, "POSITION_IN_FUTURE", OF_RANGE),
        (E::HistoryMismatch { history: "h".into(), floor, head }, Code::OutOfRange, "HISTORY_MISMATCH", of_history),
    ]
}

fn what_cannot_be_done_now() -> Vec<Case> {
    let (request, exhausted) = (Uuid::nil(), Code::ResourceExhausted);
    let reused = E::RequestIdReused { request, method: "M".into() };
    let large = E::TooLarge { needed: 2, budget: 1 };
    let of_store = |error| E::Store(Arc::new(error));
    vec![
        (reused, Code::AlreadyExists, "REQUEST_ID_REUSED", &["method", "request_id"]),
        (E::Busy { depth: 3 }, exhausted, "ACCOUNT_BUSY", &["queue_depth"]),
        (large, exhausted, "ACCOUNT_TOO_LARGE", &["budget_bytes", "needed_bytes"]),
        (E::Deadline, Code::DeadlineExceeded, "DEADLINE_EXCEEDED", &[]),
        (E::Draining, Code::Unavailable, "DRAINING", &[]),
        (E::OutcomeUnknown { request: Some(request) }, Code::Unknown, "OUTCOME_UNKNOWN", &["request_id"]),
        (E::OutcomeUnknown { request: None }, Code::Unknown, "OUTCOME_UNKNOWN", &[]),
        (of_store(store::Error::TimedOut), Code::Unavailable, "STORE_UNAVAILABLE", &[]),
        (of_store(store::Error::UnsupportedUrl), Code::Internal, "INTERNAL", &["incident_id"]),
    ]
}

#[test]
fn every_error_has_its_code_reason_and_metadata() {
    for (error, code, reason, keys) in
        [refusals(), what_is_not_there(), what_cannot_be_done_now()].into_iter().flatten()
    {
        assert_eq!(told(&error), (code, reason.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect()));
    }
}

#[test]
fn every_reason_of_the_contract_has_a_code() {
    for number in 0.. {
        let Ok(reason) = Reason::try_from(number) else { break };
        assert_ne!(code(reason), Code::Ok, "{reason:?}");
    }
}

#[test]
fn a_busy_account_and_a_replica_that_goes_say_when_to_come_back() {
    let delay = |error: E| Status::from(Failure::from(&error)).get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay(E::Busy { depth: 3 }), Some(BUSY_DELAY));
    assert_eq!(delay(E::Draining), Some(DRAINING_DELAY));
}

#[test]
fn a_defect_tells_nothing_of_its_cause() {
    let cause = store::Error::Unreadable { table: "fact", what: "s3cret".into() };
    let status = Status::from(Failure::from(&E::Store(Arc::new(cause))));
    assert!(!format!("{status:?}").contains("s3cret"));
}

#[test]
fn of_a_thousand_bad_items_every_position_gets_through_in_eight_kibibytes() {
    let bad = |index| (index, Refusal::OwnerInactive { owner: member(&"m".repeat(64)) });
    let items = (0..1_000).filter(|index| index % 2 == 1).map(bad).collect();
    let status = Status::from(refused(&Refused::Items(items).into(), Some("items")));
    assert!(status.details().len() * 4 / 3 < 8_000, "{}", status.details().len());
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["failed_count"], "500");
    assert_eq!(info.metadata["failed_items"].split(',').count(), 500);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "items[1].owner_id");
}

#[test]
fn runs_of_bad_items_are_drawn_together() {
    let bad = |index| (index, Refusal::LeadNotFound { lead: lead() });
    let items = [0, 1, 2, 3, 7, 9, 10].map(bad).into();
    let status = Status::from(refused(&Refused::Items(items).into(), Some("items")));
    assert_eq!(status.get_details_error_info().unwrap().metadata["failed_items"], "0-3,7,9-10");
}
