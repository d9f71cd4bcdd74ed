//! Whether log, tables and answers say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::answers::Book;
use super::fold::{LeadState, State, fold, is_overdue, is_owner_change};
use super::tables::{AccountRows, Fact, Head, LeadRow, Tables};
use super::{Account, Channel};

/// Every contradiction, with the account it is about.
pub async fn complaints(tables: &Tables, replicas: &[Channel]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (id, rows) in &tables.0 {
        let mut complaints = Vec::new();
        match &rows.head {
            None => complaints.push("rows without a head".to_owned()),
            Some(head) => of_account(rows, head, &mut complaints),
        }
        let written = rows.head.as_ref().is_some_and(|head| head.revision > 0);
        for replica in replicas.iter().filter(|_| written) {
            let book = Book::ask(&Account::new(id, replica.clone())).await;
            book.compare(rows, &mut complaints);
        }
        all.extend(complaints.into_iter().map(|complaint| (id.clone(), complaint)));
    }
    all
}

fn of_account(rows: &AccountRows, head: &Head, complaints: &mut Vec<String>) {
    numbering(&rows.facts, head, complaints);
    clock(&rows.facts, head, complaints);
    chains(&rows.facts, complaints);
    if head.history_floor == 0 && head.facts_floor == 0 {
        let state = fold(&rows.facts, head.revision, complaints);
        compare_leads(&state.leads, &rows.leads, complaints);
        compare_rest(&state, rows, complaints);
    } else {
        // What is trimmed are superseded owner changes and updates of leads. The rest still tells the whole state of
        // owners, members and settings.
        compare_owners(&latest(&rows.facts), &rows.leads, complaints);
        let kept: Vec<_> = rows.facts.iter().filter(|fact| fact.lead.is_none()).cloned().collect();
        compare_rest(&fold(&kept, head.revision, complaints), rows, complaints);
        superseded(&rows.facts, head.history_floor, complaints);
    }
}

/// Who owns what by the last owner change of each lead.
fn latest(facts: &[Fact]) -> BTreeMap<String, LeadState> {
    let mut leads: BTreeMap<String, LeadState> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| is_owner_change(fact) || is_overdue(fact)) {
        let Some(lead) = fact.lead.clone() else { continue };
        if is_overdue(fact) {
            leads.entry(lead).and_modify(|lead| lead.overdue = true);
            continue;
        }
        let (owner, since, revision) = (fact.owner.clone(), fact.occurred_at, fact.revision);
        leads.insert(lead, LeadState { owner, since, revision, projection: json!(null), overdue: false });
        if fact.kind == "forgotten" {
            leads.remove(fact.lead.as_ref().expect("a lead"));
        }
    }
    leads
}

/// Up to the floor, history is what the state at the floor follows from: the last change of each lead.
fn superseded(facts: &[Fact], floor: i64, complaints: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for fact in facts.iter().filter(|fact| is_owner_change(fact)) {
        let first = seen.insert(&fact.lead);
        if !first && fact.revision <= floor {
            complaints.push(format!("superseded history of {:?} below the floor {floor}", fact.lead));
        }
        if first && fact.revision > floor && fact.kind != "registered" {
            complaints.push(format!("nothing tells whose {:?} was at the floor {floor}", fact.lead));
        }
    }
}

/// Revisions are dense from the floor to the head, and ordinals within each.
fn numbering(facts: &[Fact], head: &Head, complaints: &mut Vec<String>) {
    let floor = head.facts_floor.max(head.history_floor);
    let mut ordinals: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.revision > floor) {
        ordinals.entry(fact.revision).or_default().push(fact.ordinal);
    }
    let revisions: Vec<i64> = ordinals.keys().copied().collect();
    if revisions != (floor + 1..=head.revision).collect::<Vec<_>>() {
        complaints.push(format!("revisions are not dense up to {}: {revisions:?}", head.revision));
    }
    for (revision, ordinals) in ordinals {
        if ordinals != (0..ordinals.len() as i64).collect::<Vec<_>>() {
            complaints.push(format!("ordinals of {revision} are not dense: {ordinals:?}"));
        }
    }
}

/// Times never go back, are one within a revision, and the head knows the last.
fn clock(facts: &[Fact], head: &Head, complaints: &mut Vec<String>) {
    for pair in facts.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        let same = before.revision == after.revision;
        if after.occurred_at < before.occurred_at || (same && after.occurred_at != before.occurred_at) {
            complaints.push(format!("the time of {}.{} goes wrong", after.revision, after.ordinal));
        }
    }
    let last = facts.last().filter(|fact| fact.revision == head.revision);
    if last.is_some_and(|last| last.occurred_at != head.changed_at) {
        complaints.push("the head has another time than the last revision".to_owned());
    }
}

/// Within what is kept, each change of a lead begins with the owner that the one before ended with.
fn chains(facts: &[Fact], complaints: &mut Vec<String>) {
    let mut owners: BTreeMap<&str, &Option<String>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| is_owner_change(fact)) {
        let Some(lead) = &fact.lead else { continue };
        let before = owners.insert(lead, &fact.owner);
        if before.is_some_and(|before| *before != fact.previous_owner) {
            complaints.push(format!("the chain of {lead} breaks at {}.{}", fact.revision, fact.ordinal));
        }
    }
}

fn compare_leads(
    folded: &BTreeMap<String, LeadState>,
    stored: &BTreeMap<String, LeadRow>,
    complaints: &mut Vec<String>,
) {
    compare_owners(folded, stored, complaints);
    for (id, row) in stored {
        let projection = folded.get(id).map(|lead| &lead.projection);
        if projection.is_some_and(|projection| *projection != row.projection) {
            complaints.push(format!("projection of {id}: log {projection:?}, table {:?}", row.projection));
        }
    }
}

fn compare_owners(
    folded: &BTreeMap<String, LeadState>,
    stored: &BTreeMap<String, LeadRow>,
    complaints: &mut Vec<String>,
) {
    let ids: BTreeSet<&String> = folded.keys().chain(stored.keys()).collect();
    for id in ids {
        let log = folded.get(id).map(|lead| (&lead.owner, lead.since, lead.revision, lead.overdue));
        let table = stored.get(id).map(|row| (&row.owner, row.owner_since, row.revision, row.overdue));
        if log != table {
            complaints.push(format!("owner of {id}: log {log:?}, table {table:?}"));
        }
    }
}

fn compare_rest(state: &State, rows: &AccountRows, complaints: &mut Vec<String>) {
    if state.members != rows.members {
        complaints.push(format!("members: log {:?}, table {:?}", state.members, rows.members));
    }
    let log = (state.settings.clone().unwrap_or(json!({})), state.settings_revision);
    let table = rows.settings.as_ref().map_or((json!({}), 0), |row| (row.settings.clone(), row.revision));
    if log != table {
        complaints.push(format!("settings: log {log:?}, table {table:?}"));
    }
}
