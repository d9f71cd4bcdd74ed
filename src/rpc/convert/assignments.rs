//! Owners given and taken.

use ownership_proto::v1 as pb;
use ownership_proto::v1::WriteContext;
use pb::bulk_assign_item::Target;

use super::writes::{failure_mode, item_error, origin, outcome, precondition, warnings};
use super::{Invalid, distinct, id};
use crate::domain::command::{Action, Assign, AssignItem, FailureMode};
use crate::domain::ids::{CallerId, LeadId};
use crate::domain::lead::Ownership;
use crate::domain::outcome::{Answer, ItemResult, Outcome, OwnerResult, Results};
use crate::rpc::call::{Mismatch, Order, Write};

impl Write for pb::AssignRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.OwnershipService/Assign";
    type Subject = LeadId;
    type Response = pb::AssignResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<LeadId>, Invalid> {
        let Self { account_id, lead_id, owner_id, precondition: condition, context, notify_new_owner } = self;
        let lead: LeadId = id(lead_id, format_args!("lead_id"))?;
        let item = AssignItem {
            lead: lead.clone(),
            owner: Some(id(owner_id, format_args!("owner_id"))?),
            precondition: precondition(condition, format_args!(""))?,
        };
        let (account, action) = (id(account_id, format_args!("account_id"))?, single(item, notify_new_owner));
        Ok(Order { account, origin: origin(context, caller)?, action, subject: lead })
    }

    fn response(lead: LeadId, answer: Answer) -> Result<pb::AssignResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        let OwnerResult { outcome: what, previous, owner, since, revision: of_owner, warnings: told } = only(results)?;
        Ok(pb::AssignResponse {
            ownership: Some(Ownership { lead, owner, since, revision: of_owner }.into()),
            outcome: outcome(what),
            previous_owner_id: previous.map(String::from),
            revision: revision.0,
            warnings: warnings(told),
            replayed,
        })
    }
}

impl Write for pb::UnassignRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.OwnershipService/Unassign";
    type Subject = LeadId;
    type Response = pb::UnassignResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<LeadId>, Invalid> {
        let Self { account_id, lead_id, precondition: condition, context } = self;
        let lead: LeadId = id(lead_id, format_args!("lead_id"))?;
        let condition = precondition(condition, format_args!(""))?;
        let item = AssignItem { lead: lead.clone(), owner: None, precondition: condition };
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action: single(item, None), subject: lead })
    }

    fn response(lead: LeadId, answer: Answer) -> Result<pb::UnassignResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        let OwnerResult { outcome: what, previous, owner, since, revision: of_owner, warnings: _ } = only(results)?;
        Ok(pb::UnassignResponse {
            ownership: Some(Ownership { lead, owner, since, revision: of_owner }.into()),
            outcome: outcome(what),
            previous_owner_id: previous.map(String::from),
            revision: revision.0,
            replayed,
        })
    }
}

impl Write for pb::BulkAssignRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.OwnershipService/BulkAssign";
    const ITEMS: Option<&'static str> = Some("items");
    type Subject = Vec<LeadId>;
    type Response = pb::BulkAssignResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<Vec<LeadId>>, Invalid> {
        let Self { account_id, items, failure_mode: mode, context, notify_new_owner: notify } = self;
        distinct(items.iter().map(|item| item.lead_id.as_str()), |index| format!("items[{index}].lead_id"))?;
        let items: Vec<_> = items.into_iter().enumerate().map(assign_item).collect::<Result<_, _>>()?;
        let subject = items.iter().map(|item| item.lead.clone()).collect();
        let action = Action::Assign(Assign { items, mode: failure_mode(mode)?, notify });
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action, subject })
    }

    fn response(leads: Vec<LeadId>, answer: Answer) -> Result<pb::BulkAssignResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        let Results::Owners { items, batch } = results else { return Err(Mismatch) };
        let tally = tally(&items);
        Ok(pb::BulkAssignResponse {
            results: leads.into_iter().zip(items).map(|(lead, item)| item_result(lead, item)).collect(),
            revision: revision.0,
            tally: Some(tally),
            batch_id: batch.map(String::from).unwrap_or_default(),
            replayed,
        })
    }
}

fn single(item: AssignItem, notify: Option<bool>) -> Action {
    Action::Assign(Assign { items: vec![item], mode: FailureMode::FailAll, notify })
}

/// The result of an order of one item, which is refused as a whole or not at all.
fn only(results: Results) -> Result<OwnerResult, Mismatch> {
    let Results::Owners { mut items, batch: _ } = results else { return Err(Mismatch) };
    items.pop().and_then(Result::ok).ok_or(Mismatch)
}

fn assign_item((index, item): (usize, pb::BulkAssignItem)) -> Result<AssignItem, Invalid> {
    let pb::BulkAssignItem { lead_id, target, precondition: condition } = item;
    let owner = match target.ok_or_else(|| Invalid::not_set(format_args!("items[{index}].target")))? {
        Target::OwnerId(owner) => Some(id(owner, format_args!("items[{index}].owner_id"))?),
        Target::Unassign(()) => None,
    };
    Ok(AssignItem {
        lead: id(lead_id, format_args!("items[{index}].lead_id"))?,
        owner,
        precondition: precondition(condition, format_args!("items[{index}]."))?,
    })
}

fn item_result(lead: LeadId, item: ItemResult<OwnerResult>) -> pb::BulkAssignResult {
    let lead_id = lead.into();
    match item {
        Ok(OwnerResult { outcome: what, previous, owner: _, since: _, revision: _, warnings: told }) => {
            let previous_owner_id = previous.map(String::from);
            let warnings = warnings(told);
            pb::BulkAssignResult { lead_id, outcome: outcome(what), previous_owner_id, error: None, warnings }
        }
        Err(refusal) => {
            let (failed, error) = (pb::Outcome::Failed.into(), Some(item_error(&refusal)));
            pb::BulkAssignResult { lead_id, outcome: failed, previous_owner_id: None, error, warnings: Vec::new() }
        }
    }
}

fn tally(items: &[ItemResult<OwnerResult>]) -> pb::BulkAssignTally {
    let mut tally = pb::BulkAssignTally::default();
    for item in items {
        *match item.as_ref().map(|result| result.outcome) {
            Ok(Outcome::Assigned) => &mut tally.assigned,
            Ok(Outcome::Reassigned) => &mut tally.reassigned,
            Ok(Outcome::Unassigned) => &mut tally.unassigned,
            // Owners are only ever assigned, reassigned or unassigned.
            Ok(Outcome::Unchanged | Outcome::Registered | Outcome::Updated | Outcome::Stale | Outcome::Forgotten) => {
                &mut tally.unchanged
            }
            Err(_) => &mut tally.failed,
        } += 1;
    }
    tally
}
