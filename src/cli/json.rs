//! Messages of the contract as JSON: keys as in the proto, enums as words, times as RFC 3339, absent as null.

use ownership_proto::v1 as pb;
use serde_json::{Value, json};

use super::names;
use super::values::rfc3339;

/// `Ownership`.
pub(super) fn ownership(it: &pb::Ownership) -> Value {
    json!({
        "lead_id": it.lead_id,
        "owner_id": it.owner_id,
        "owner_since": rfc3339(it.owner_since.as_ref()),
        "revision": it.revision,
    })
}

/// `Lead`, with the fields of its ownership beside the others.
pub(super) fn lead(it: &pb::Lead) -> Value {
    let attributes: std::collections::BTreeMap<_, _> = it.attributes.iter().collect();
    let mut value = json!({
        "stage": it.stage,
        "stage_entered_at": rfc3339(it.stage_entered_at.as_ref()),
        "closed": it.closed,
        "created_at": rfc3339(it.created_at.as_ref()),
        "source": names::source(it.source),
        "attributes": attributes,
        "unassigned_overdue": it.unassigned_overdue,
    });
    if let (Some(fields), Some(Value::Object(more))) = (value.as_object_mut(), it.ownership.as_ref().map(ownership)) {
        fields.extend(more);
    }
    value
}

/// `Member`.
pub(super) fn member(it: &pb::Member) -> Value {
    json!({
        "member_id": it.member_id,
        "display_name": it.display_name,
        "initials": it.initials,
        "email": it.email,
        "avatar_url": it.avatar_url,
        "manager_id": it.manager_id,
        "standing": names::standing(it.standing),
        "capacity": it.capacity,
        "observed_at": rfc3339(it.observed_at.as_ref()),
    })
}

/// `MemberCard`.
pub(super) fn card(it: &pb::MemberCard) -> Value {
    json!({
        "member_id": it.member_id,
        "display_name": it.display_name,
        "initials": it.initials,
        "email": it.email,
        "avatar_url": it.avatar_url,
        "standing": names::standing(it.standing),
    })
}

/// `OwnerChange`.
pub(super) fn change(it: &pb::OwnerChange) -> Value {
    json!({
        "revision": it.revision,
        "ordinal": it.ordinal,
        "lead_id": it.lead_id,
        "kind": names::kind(it.kind),
        "previous_owner_id": it.previous_owner_id,
        "owner_id": it.owner_id,
        "occurred_at": rfc3339(it.occurred_at.as_ref()),
        "actor": it.actor.as_ref().map(|actor| json!({"caller_id": actor.caller_id, "member_id": actor.member_id})),
        "source": names::source(it.source),
        "reason": it.reason,
        "batch_id": it.batch_id,
        "notify_new_owner": it.notify_new_owner,
    })
}

/// `ItemError`.
pub(super) fn item_error(it: &pb::ItemError) -> Value {
    json!({
        "reason": it.reason,
        "message": it.message,
        "current_owner_id": it.current_owner_id,
        "current_revision": it.current_revision,
    })
}

/// `LeadResult`.
pub(super) fn lead_result(it: &pb::LeadResult) -> Value {
    json!({
        "lead_id": it.lead_id,
        "outcome": names::outcome(it.outcome),
        "error": it.error.as_ref().map(item_error),
    })
}

/// `BulkAssignResult`.
pub(super) fn bulk_result(it: &pb::BulkAssignResult) -> Value {
    json!({
        "lead_id": it.lead_id,
        "outcome": names::outcome(it.outcome),
        "previous_owner_id": it.previous_owner_id,
        "error": it.error.as_ref().map(item_error),
        "warnings": it.warnings.iter().map(|&warning| names::warning(warning)).collect::<Vec<_>>(),
    })
}

/// `OwnerCount`.
pub(super) fn owner_count(it: &pb::OwnerCount) -> Value {
    let stage = |it: &pb::StageCount| json!({"stage": it.stage, "open": it.open, "closed": it.closed});
    json!({
        "owner_id": it.owner_id,
        "total": it.total,
        "stages": it.stages.iter().map(stage).collect::<Vec<_>>(),
        "oldest_owner_since": rfc3339(it.oldest_owner_since.as_ref()),
    })
}

/// `Settings`.
pub(super) fn settings(it: &pb::Settings) -> Value {
    let sender = it.default_sender.as_ref();
    json!({
        "default_sender": sender.map(|sender| json!({"name": sender.name, "email": sender.email})),
        "notify_new_owner": it.notify_new_owner,
        "unassigned_overdue": super::settings::overdue(it),
    })
}
