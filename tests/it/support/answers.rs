//! The book of an account, as its answers show it, and whether the tables say the same.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ownership_proto::v1::settings::UnassignedOverdue;
use ownership_proto::v1::*;
use serde_json::{Value, json};

use super::fold::is_owner_change;
use super::tables::{AccountRows, Fact, LeadRow, without_nulls};
use super::{Account, anybody, duty, micros};

const ORDERS: [LeadOrder; 8] = [
    LeadOrder::Unspecified,
    LeadOrder::CreatedAsc,
    LeadOrder::CreatedDesc,
    LeadOrder::AssignedAsc,
    LeadOrder::AssignedDesc,
    LeadOrder::StageEnteredAsc,
    LeadOrder::StageEnteredDesc,
    LeadOrder::LeadId,
];

/// What an account answers when asked for everything.
pub struct Book {
    orders: Vec<(LeadOrder, Vec<Lead>)>,
    counts: Vec<OwnerCount>,
    members: Vec<Member>,
    settings: GetSettingsResponse,
    changes: Option<Vec<OwnerChange>>,
}

impl Book {
    /// Asks.
    pub async fn ask(account: &Account) -> Self {
        let mut orders = Vec::new();
        for order in ORDERS {
            let first = account.list(anybody()).with(|request| {
                request.order = order.into();
                request.page_size = 1_000;
            });
            orders.push((order, account.all(first).await));
        }
        let everyone = account.picker("").with(|request| {
            request.include_all_standings = true;
            request.page_size = 1_000;
        });
        let everything = account.changes().with(|request| request.page_size = 1_000);
        let settings = account.settings().ok().await;
        Self {
            orders,
            counts: account.counts().ok().await.counts,
            members: everyone.ok().await.members,
            changes: match everything.clone().await {
                Ok(_) => Some(account.log(everything).await),
                Err(_) => None,
            },
            settings,
        }
    }

    /// Complains wherever the tables say something else.
    pub fn compare(&self, rows: &AccountRows, complaints: &mut Vec<String>) {
        let head = rows.head.as_ref().expect("a head");
        for (order, leads) in &self.orders {
            same(&format!("leads by {order:?}"), listed(leads), sorted(&rows.leads, *order), complaints);
        }
        same("counts", self.counts.iter().map(count).collect(), counted(&rows.leads), complaints);
        let mut members: Vec<&Value> = rows.members.values().collect();
        members.sort_by_key(|member| (text(member, "display_name").to_lowercase(), text(member, "member_id")));
        let answered: Vec<Value> = self.members.iter().map(member).collect();
        same("members", answered.iter().collect(), members, complaints);
        let revision = rows.settings.as_ref().map_or(0, |row| row.revision);
        let mut settings = rows.settings.as_ref().map_or(json!({}), |row| row.settings.clone());
        // Nobody is told since when.
        settings.as_object_mut().expect("an object").remove("overdue_from");
        let answered = (settings_json(&self.settings), self.settings.settings_revision, self.settings.revision);
        same("settings", vec![answered], vec![(settings, revision, head.revision)], complaints);
        match &self.changes {
            Some(changes) if head.history_floor == 0 => {
                let facts = rows.facts.iter().filter(|fact| is_owner_change(fact)).map(fact_entry).collect();
                same("changes", changes.iter().map(change_entry).collect(), facts, complaints);
            }
            Some(_) => {}
            None if head.history_floor > 0 => {}
            None => complaints.push("the book does not show its changes".to_owned()),
        }
    }
}

fn same<T: PartialEq + Debug>(what: &str, answered: Vec<T>, stored: Vec<T>, complaints: &mut Vec<String>) {
    if answered.len() != stored.len() {
        complaints.push(format!("the book has {} {what}, the tables {}", answered.len(), stored.len()));
    }
    if let Some((answer, row)) = answered.iter().zip(&stored).find(|(answer, row)| answer != row) {
        complaints.push(format!("the book differs in {what}: answered {answer:?}, stored {row:?}"));
    }
}

type Listed = (String, Option<String>, i64, i64, Value);

fn listed(leads: &[Lead]) -> Vec<Listed> {
    let show = |lead: &Lead| {
        let (id, owner) = duty(lead);
        let ownership = lead.ownership.as_ref().expect("an ownership");
        let attributes: BTreeMap<_, _> = lead.attributes.iter().collect();
        let projection = json!({
            "stage": lead.stage,
            "stage_entered_at": micros(&lead.stage_entered_at),
            "closed": lead.closed,
            "created_at": micros(&lead.created_at),
            "source": word(lead.source().as_str_name(), "SOURCE_"),
            "attributes": attributes,
            "overdue": lead.unassigned_overdue,
        });
        let since = micros(&ownership.owner_since);
        (id.to_owned(), owner.map(str::to_owned), since, ownership.revision, projection)
    };
    leads.iter().map(show).collect()
}

fn sorted(leads: &BTreeMap<String, LeadRow>, order: LeadOrder) -> Vec<Listed> {
    let mut rows: Vec<(&String, &LeadRow)> = leads.iter().collect();
    let time = |row: &LeadRow, field: &str| row.projection[field].as_i64().expect("a time");
    let key = |row: &LeadRow| match order {
        LeadOrder::Unspecified | LeadOrder::CreatedAsc | LeadOrder::CreatedDesc => time(row, "created_at"),
        LeadOrder::AssignedAsc | LeadOrder::AssignedDesc => row.owner_since,
        LeadOrder::StageEnteredAsc | LeadOrder::StageEnteredDesc => time(row, "stage_entered_at"),
        LeadOrder::LeadId => 0,
    };
    rows.sort_by_key(|(id, row)| (key(row), *id));
    // Each descending order is the exact reverse of the ascending one, equal times included.
    if [LeadOrder::CreatedDesc, LeadOrder::AssignedDesc, LeadOrder::StageEnteredDesc].contains(&order) {
        rows.reverse();
    }
    let show = |(id, row): (&String, &LeadRow)| {
        let mut projection = row.projection.clone();
        projection.as_object_mut().expect("an object").remove("observed_at");
        projection["overdue"] = json!(row.overdue);
        (id.clone(), row.owner.clone(), row.owner_since, row.revision, projection)
    };
    rows.into_iter().map(show).collect()
}

/// Owner, total, stages with open and closed, longest held since.
type Counted = (Option<String>, i64, Vec<(String, i64, i64)>, Option<i64>);

fn count(count: &OwnerCount) -> Counted {
    let stages = count.stages.iter().map(|stage| (stage.stage.clone(), stage.open, stage.closed)).collect();
    let oldest = count.oldest_owner_since.is_some().then(|| micros(&count.oldest_owner_since));
    (count.owner_id.clone(), count.total, stages, oldest)
}

fn counted(leads: &BTreeMap<String, LeadRow>) -> Vec<Counted> {
    let mut owners: BTreeMap<Option<String>, Vec<&LeadRow>> = BTreeMap::from([(None, Vec::new())]);
    for row in leads.values() {
        owners.entry(row.owner.clone()).or_default().push(row);
    }
    let tally = |(owner, rows): (Option<String>, Vec<&LeadRow>)| {
        let mut stages: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for row in &rows {
            let stage = stages.entry(text(&row.projection, "stage")).or_default();
            let closed = row.projection["closed"] == json!(true);
            *(if closed { &mut stage.1 } else { &mut stage.0 }) += 1;
        }
        let stages = stages.into_iter().map(|(stage, (open, closed))| (stage, open, closed)).collect();
        (owner, rows.len() as i64, stages, rows.iter().map(|row| row.owner_since).min())
    };
    owners.into_iter().map(tally).collect()
}

fn member(member: &Member) -> Value {
    without_nulls(json!({
        "member_id": member.member_id,
        "display_name": member.display_name,
        "initials": member.initials,
        "email": member.email,
        "avatar_url": member.avatar_url,
        "manager_id": member.manager_id,
        "standing": word(member.standing().as_str_name(), "STANDING_"),
        "capacity": member.capacity,
        "observed_at": micros(&member.observed_at),
    }))
}

fn settings_json(answer: &GetSettingsResponse) -> Value {
    let settings = answer.settings.clone().unwrap_or_default();
    let sender = settings.default_sender.map(|sender| json!({ "name": sender.name, "email": sender.email }));
    let notify = settings.notify_new_owner.then_some(true);
    let overdue = settings.unassigned_overdue.map(|limit| match limit {
        UnassignedOverdue::NeverUnassignedOverdue(()) => json!("never"),
        UnassignedOverdue::UnassignedOverdueAfter(span) => {
            json!({ "after": span.seconds * 1_000_000 + i64::from(span.nanos) / 1_000 })
        }
    });
    without_nulls(json!({ "default_sender": sender, "notify_new_owner": notify, "overdue": overdue }))
}

/// What a change says that was answered or published, to be compared with `fact_entry`.
pub fn change_entry(change: &OwnerChange) -> Vec<String> {
    let actor = change.actor.clone().unwrap_or_default();
    let notify_new_owner = change.notify_new_owner.then(|| "new_owner".to_owned());
    entry(
        (change.revision, i64::from(change.ordinal), micros(&change.occurred_at)),
        [&change.lead_id, &word(change.kind().as_str_name(), "CHANGE_KIND_"), &actor.caller_id, &change.reason],
        [&change.previous_owner_id, &change.owner_id, &actor.member_id, &notify_new_owner],
        [&word(change.source().as_str_name(), "SOURCE_"), &change.batch_id],
    )
}

/// What a fact of the log says of an owner, to be compared with `change_entry`.
pub fn fact_entry(fact: &Fact) -> Vec<String> {
    entry(
        (fact.revision, fact.ordinal, fact.occurred_at),
        [&fact.lead.clone().unwrap_or_default(), &fact.kind, &fact.caller, &fact.reason],
        [&fact.previous_owner, &fact.owner, &fact.actor_member, &fact.notice],
        [&fact.source, &fact.batch.clone().unwrap_or_default()],
    )
}

fn entry(
    position: (i64, i64, i64),
    texts: [&String; 4],
    options: [&Option<String>; 4],
    origin: [&String; 2],
) -> Vec<String> {
    let mut entry = vec![format!("{position:?}")];
    entry.extend(texts.into_iter().cloned());
    entry.extend(options.into_iter().map(|option| format!("{option:?}")));
    entry.extend(origin.into_iter().cloned());
    entry
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}
