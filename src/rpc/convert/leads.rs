//! Leads: registered, updated, forgotten and shown.

use ownership_proto::v1 as pb;
use ownership_proto::v1::WriteContext;

use super::reads::freshness;
use super::time::{timestamp, to_timestamp};
use super::writes::{failure_mode, item_error, origin, outcome};
use super::{Invalid, distinct, distinct_ids, id, optional_id};
use crate::context::Freshness;
use crate::domain::actor::Source;
use crate::domain::command::{Action, LeadUpdate, NewLead, Register, Update};
use crate::domain::ids::{AccountId, CallerId, LeadId};
use crate::domain::lead::{Lead, Projection};
use crate::domain::outcome::{Answer, ItemResult, Outcome, Results};
use crate::page::Read;
use crate::rpc::call::{Ask, Mismatch, Order, Write};

impl Write for pb::RegisterLeadsRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.LeadService/RegisterLeads";
    const ITEMS: Option<&'static str> = Some("leads");
    type Subject = Vec<LeadId>;
    type Response = pb::RegisterLeadsResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<Vec<LeadId>>, Invalid> {
        let Self { account_id, leads, default_owner_id, failure_mode: mode, context, notify_new_owner: notify } = self;
        distinct(leads.iter().map(|lead| lead.lead_id.as_str()), |index| format!("leads[{index}].lead_id"))?;
        let leads: Vec<_> = leads.into_iter().enumerate().map(new_lead).collect::<Result<_, _>>()?;
        let subject = leads.iter().map(|lead| lead.lead.clone()).collect();
        let action = Action::Register(Register {
            leads,
            default_owner: optional_id(default_owner_id, format_args!("default_owner_id"))?,
            mode: failure_mode(mode)?,
            notify,
        });
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action, subject })
    }

    fn response(leads: Vec<LeadId>, answer: Answer) -> Result<pb::RegisterLeadsResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        Ok(pb::RegisterLeadsResponse { results: lead_results(leads, results)?, revision: revision.0, replayed })
    }
}

fn new_lead((index, lead): (usize, pb::NewLead)) -> Result<NewLead, Invalid> {
    let pb::NewLead { lead_id, owner_id, stage, stage_entered_at, closed, created_at, attributes, observed_at } = lead;
    Ok(NewLead {
        lead: id(lead_id, format_args!("leads[{index}].lead_id"))?,
        owner: optional_id(owner_id, format_args!("leads[{index}].owner_id"))?,
        stage,
        stage_entered_at: stage_entered_at.map(timestamp),
        closed,
        created_at: created_at.map(timestamp),
        attributes: attributes.into_iter().collect(),
        observed_at: observed_at.map(timestamp),
    })
}

impl Write for pb::UpdateLeadsRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.LeadService/UpdateLeads";
    const ITEMS: Option<&'static str> = Some("updates");
    type Subject = Vec<LeadId>;
    type Response = pb::UpdateLeadsResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<Vec<LeadId>>, Invalid> {
        let Self { account_id, updates, failure_mode: mode, context } = self;
        distinct(updates.iter().map(|update| update.lead_id.as_str()), |index| format!("updates[{index}].lead_id"))?;
        let updates: Vec<_> = updates.into_iter().enumerate().map(lead_update).collect::<Result<_, _>>()?;
        let subject = updates.iter().map(|update| update.lead.clone()).collect();
        let action = Action::Update(Update { updates, mode: failure_mode(mode)? });
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action, subject })
    }

    fn response(leads: Vec<LeadId>, answer: Answer) -> Result<pb::UpdateLeadsResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        Ok(pb::UpdateLeadsResponse { results: lead_results(leads, results)?, revision: revision.0, replayed })
    }
}

fn lead_update((index, update): (usize, pb::LeadUpdate)) -> Result<LeadUpdate, Invalid> {
    let pb::LeadUpdate { lead_id, observed_at, stage, stage_entered_at, closed, attributes } = update;
    let observed_at = observed_at.ok_or_else(|| Invalid::not_set(format_args!("updates[{index}].observed_at")))?;
    Ok(LeadUpdate {
        lead: id(lead_id, format_args!("updates[{index}].lead_id"))?,
        observed_at: timestamp(observed_at),
        stage,
        stage_entered_at: stage_entered_at.map(timestamp),
        closed,
        attributes: attributes.map(|pb::LeadAttributes { values }| values.into_iter().collect()),
    })
}

impl Write for pb::ForgetLeadsRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.LeadService/ForgetLeads";
    const ITEMS: Option<&'static str> = Some("lead_ids");
    type Subject = Vec<LeadId>;
    type Response = pb::ForgetLeadsResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<Vec<LeadId>>, Invalid> {
        let Self { account_id, lead_ids, context } = self;
        let leads: Vec<LeadId> = distinct_ids(lead_ids, "lead_ids")?;
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action: Action::Forget(leads.clone()), subject: leads })
    }

    fn response(leads: Vec<LeadId>, answer: Answer) -> Result<pb::ForgetLeadsResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        Ok(pb::ForgetLeadsResponse { results: lead_results(leads, results)?, revision: revision.0, replayed })
    }
}

fn lead_results(leads: Vec<LeadId>, results: Results) -> Result<Vec<pb::LeadResult>, Mismatch> {
    let Results::Leads(items) = results else { return Err(Mismatch) };
    Ok(leads.into_iter().zip(items).map(lead_result).collect())
}

fn lead_result((lead, item): (LeadId, ItemResult<Outcome>)) -> pb::LeadResult {
    let lead_id = lead.into();
    match item {
        Ok(what) => pb::LeadResult { lead_id, outcome: outcome(what), error: None },
        Err(refusal) => {
            pb::LeadResult { lead_id, outcome: pb::Outcome::Failed.into(), error: Some(item_error(&refusal)) }
        }
    }
}

/// What is known of a lead?
pub(in crate::rpc) struct GetLead {
    pub(in crate::rpc) lead: LeadId,
    pub(in crate::rpc) freshness: Freshness,
}

impl Ask for pb::GetLeadRequest {
    type Question = GetLead;

    fn question(self) -> Result<(AccountId, GetLead), Invalid> {
        let Self { account_id, lead_id, consistency } = self;
        let question = GetLead { lead: id(lead_id, format_args!("lead_id"))?, freshness: freshness(consistency) };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl From<Read<Lead>> for pb::GetLeadResponse {
    fn from(read: Read<Lead>) -> Self {
        let Read { revision, value } = read;
        Self { lead: Some(value.into()), revision: revision.0 }
    }
}

impl From<Lead> for pb::Lead {
    fn from(lead: Lead) -> Self {
        let Lead { ownership, projection, overdue } = lead;
        let Projection { stage, stage_entered_at, closed, created_at, source, attributes, observed_at: _ } = projection;
        Self {
            ownership: Some(ownership.into()),
            stage,
            stage_entered_at: Some(to_timestamp(stage_entered_at)),
            closed,
            created_at: Some(to_timestamp(created_at)),
            source: pb::Source::from(source).into(),
            attributes: attributes.as_ref().iter().map(|(name, value)| (name.into(), value.into())).collect(),
            unassigned_overdue: overdue,
        }
    }
}

impl From<Source> for pb::Source {
    fn from(source: Source) -> Self {
        match source {
            Source::Ui => Self::Ui,
            Source::Api => Self::Api,
            Source::Import => Self::Import,
            Source::Form => Self::Form,
            Source::Automation => Self::Automation,
            Source::Rotation => Self::Rotation,
            Source::Offboarding => Self::Offboarding,
            Source::System => Self::System,
        }
    }
}
