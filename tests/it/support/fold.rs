//! What the log says: who owns what, computed from the facts alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::tables::{AccountRows, Fact, without_nulls};

/// The state of an account.
#[derive(Default, Clone)]
pub struct State {
    pub leads: BTreeMap<String, LeadState>,
    pub members: BTreeMap<String, Value>,
    pub settings: Option<Value>,
    pub settings_revision: i64,
}

/// A lead that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadState {
    pub owner: Option<String>,
    pub since: i64,
    pub revision: i64,
    pub projection: Value,
    pub overdue: bool,
}

impl State {
    /// Who owns each lead.
    pub fn owners(&self) -> BTreeMap<String, Option<String>> {
        self.leads.iter().map(|(lead, state)| (lead.clone(), state.owner.clone())).collect()
    }
}

/// Folds the facts up to a revision. What contradicts the state before it goes to the complaints.
pub fn fold(facts: &[Fact], until: i64, complaints: &mut Vec<String>) -> State {
    let mut state = State::default();
    for fact in facts.iter().take_while(|fact| fact.revision <= until) {
        if let Err(complaint) = apply(&mut state, fact) {
            complaints.push(format!("fact {}.{}: {complaint}", fact.revision, fact.ordinal));
        }
    }
    state
}

/// Who owns each lead of an account, and the last revision that changed an owner.
pub fn owners_and_last(rows: &AccountRows) -> (BTreeMap<String, Option<String>>, i64) {
    let last = rows.facts.iter().rfind(|fact| is_owner_change(fact)).map_or(0, |fact| fact.revision);
    (fold(&rows.facts, i64::MAX, &mut Vec::new()).owners(), last)
}

/// Whether a fact of this kind stands on the timeline of its lead.
pub fn is_owner_change(fact: &Fact) -> bool {
    ["registered", "assigned", "reassigned", "unassigned", "forgotten"].contains(&fact.kind.as_str())
}

/// Whether a fact tells others that nobody has owned a lead for too long.
pub fn is_overdue(fact: &Fact) -> bool {
    fact.notice.as_deref() == Some("overdue")
}

fn apply(state: &mut State, fact: &Fact) -> Result<(), String> {
    match fact.kind.as_str() {
        "member_upserted" => {
            let member = without_nulls(fact.payload.clone().ok_or("no payload")?);
            let id = member["member_id"].as_str().ok_or("the member has no id")?.to_owned();
            state.members.insert(id, member);
        }
        "settings_updated" => {
            state.settings = Some(without_nulls(fact.payload.clone().ok_or("no payload")?));
            state.settings_revision = fact.revision;
        }
        "lead_updated" if is_overdue(fact) => tell_overdue(state, fact)?,
        "lead_updated" => {
            let id = fact.lead.as_ref().ok_or("no lead")?;
            let lead = state.leads.get_mut(id).ok_or("an unknown lead is updated")?;
            lead.projection = fact.payload.clone().ok_or("no payload")?;
        }
        _ => change_owner(state, fact)?,
    }
    Ok(())
}

/// Others are told of a lead that nobody owns: once for each ownership, of the one it has, and nothing else changes.
fn tell_overdue(state: &mut State, fact: &Fact) -> Result<(), String> {
    let id = fact.lead.as_ref().ok_or("no lead")?;
    let lead = state.leads.get_mut(id).ok_or("an unknown lead is overdue")?;
    let mut payload = fact.payload.clone().ok_or("no payload")?;
    let known = payload.as_object_mut().ok_or("no object")?;
    let [since, revision] = ["unassigned_since", "unassigned_revision"].map(|field| known.remove(field));
    let episode = (Some(json!(lead.since)), Some(json!(lead.revision)));
    if (since, revision) != episode || lead.owner.is_some() || lead.overdue || lead.projection != payload {
        return Err(format!("{id} is told to be overdue as {fact:?}, and is {lead:?}"));
    }
    lead.overdue = true;
    Ok(())
}

fn change_owner(state: &mut State, fact: &Fact) -> Result<(), String> {
    let id = fact.lead.clone().ok_or("no lead")?;
    let before = state.leads.get(&id).cloned();
    let owner_before = before.as_ref().and_then(|lead| lead.owner.clone());
    if fact.previous_owner != owner_before {
        return Err(format!("{id} was owned by {owner_before:?}, not by {:?}", fact.previous_owner));
    }
    if (fact.kind == "registered") == before.is_some() {
        return Err(format!("{id}: {} of a lead that is known: {}", fact.kind, before.is_some()));
    }
    let (from, to) = (fact.previous_owner.is_some(), fact.owner.is_some());
    let fits = match fact.kind.as_str() {
        "registered" => true,
        "assigned" => !from && to,
        "reassigned" => from && to && fact.previous_owner != fact.owner,
        "unassigned" => from && !to,
        "forgotten" => !to,
        other => return Err(format!("an unknown kind: {other}")),
    };
    if !fits {
        return Err(format!("{id}: {} from {:?} to {:?}", fact.kind, fact.previous_owner, fact.owner));
    }
    let told = fact.notice.as_deref() == Some("new_owner");
    if told && (fact.owner.is_none() || fact.owner == fact.actor_member) {
        return Err(format!("{id}: nobody to be told of it but who did it: {fact:?}"));
    }
    if fact.kind == "forgotten" {
        state.leads.remove(&id);
        return Ok(());
    }
    let projection = match before {
        Some(lead) => lead.projection,
        None => fact.payload.clone().unwrap_or(json!(null)),
    };
    let (since, revision) = (fact.occurred_at, fact.revision);
    state.leads.insert(id, LeadState { owner: fact.owner.clone(), since, revision, projection, overdue: false });
    Ok(())
}
