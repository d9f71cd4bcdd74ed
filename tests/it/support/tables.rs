//! The tables as they are, read by plain SQL.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sqlx::{Executor, Row};

use super::Sql;

/// Everything of one account.
#[derive(Default)]
pub struct AccountRows {
    pub head: Option<Head>,
    /// By revision and ordinal.
    pub facts: Vec<Fact>,
    pub leads: BTreeMap<String, LeadRow>,
    /// Each as JSON, without what is absent.
    pub members: BTreeMap<String, Value>,
    pub settings: Option<SettingsRow>,
}

/// A row of `account_head`.
#[derive(Debug)]
pub struct Head {
    pub revision: i64,
    pub changed_at: i64,
    pub facts_floor: i64,
    pub history_floor: i64,
}

/// A row of `fact`.
#[derive(Debug, Clone)]
pub struct Fact {
    pub revision: i64,
    pub ordinal: i64,
    pub kind: String,
    pub lead: Option<String>,
    pub previous_owner: Option<String>,
    pub owner: Option<String>,
    pub occurred_at: i64,
    pub caller: String,
    pub actor_member: Option<String>,
    pub source: String,
    pub reason: String,
    pub batch: Option<String>,
    pub payload: Option<Value>,
    /// What others are to be told beside it.
    pub notice: Option<String>,
}

/// A row of `lead`.
#[derive(Debug, PartialEq)]
pub struct LeadRow {
    pub owner: Option<String>,
    pub owner_since: i64,
    pub revision: i64,
    /// What its own service says of it.
    pub projection: Value,
    /// Whether others were told that nobody has owned it for too long.
    pub overdue: bool,
}

/// A row of `account_settings`.
#[derive(Debug, PartialEq)]
pub struct SettingsRow {
    pub settings: Value,
    pub revision: i64,
}

/// All accounts.
#[derive(Default)]
pub struct Tables(pub BTreeMap<String, AccountRows>);

// The columns are cast so that one reader fits both stores, whatever width a column has.
const HEADS: &str = "select account_id, cast(revision as bigint) as revision, changed_at, facts_floor, history_floor \
     from account_head";
const FACTS: &str = "select account_id, cast(revision as bigint) as revision, cast(ordinal as bigint) as ordinal, \
     kind, lead_id, previous_owner_id, owner_id, occurred_at, caller_id, actor_member_id, source, reason, batch_id, \
     cast(payload as text) as payload, notice from fact order by account_id, revision, ordinal";
const LEADS: &str = "select account_id, lead_id, owner_id, owner_since, revision, stage, stage_entered_at, \
     cast(case when closed then 1 else 0 end as bigint) as closed, created_at, source, \
     cast(attributes as text) as attributes, observed_at, overdue_revision from lead";
const MEMBERS: &str = "select account_id, member_id, display_name, initials, email, avatar_url, manager_id, standing, \
     cast(capacity as bigint) as capacity, observed_at from member";
const SETTINGS: &str = "select account_id, default_sender_name, default_sender_email, revision, notices_revision, \
     cast(case when notify_new_owner then 1 else 0 end as bigint) as notify_new_owner, overdue_after, overdue_from \
     from account_settings";

macro_rules! each_row {
    ($sql:expr, $statement:expr, |$row:ident| $body:block) => {
        match $sql {
            Sql::Sqlite(pool) => {
                for $row in pool.fetch_all($statement).await.unwrap() $body
            }
            Sql::Postgres(pool) => {
                for $row in pool.fetch_all($statement).await.unwrap() $body
            }
        }
    };
}

impl Tables {
    /// Reads them one after the other: nobody may write meanwhile.
    pub async fn read(sql: &Sql) -> Self {
        let mut tables = Self::default();
        tables.read_heads(sql).await;
        tables.read_facts(sql).await;
        tables.read_leads(sql).await;
        tables.read_members(sql).await;
        tables.read_settings(sql).await;
        tables
    }

    /// The rows of one account.
    pub fn account(&self, id: &str) -> &AccountRows {
        &self.0[id]
    }

    fn rows(&mut self, account: String) -> &mut AccountRows {
        self.0.entry(account).or_default()
    }

    async fn read_heads(&mut self, sql: &Sql) {
        each_row!(sql, HEADS, |row| {
            self.rows(row.get("account_id")).head = Some(Head {
                revision: row.get("revision"),
                changed_at: row.get("changed_at"),
                facts_floor: row.get("facts_floor"),
                history_floor: row.get("history_floor"),
            });
        });
    }

    async fn read_facts(&mut self, sql: &Sql) {
        each_row!(sql, FACTS, |row| {
            self.rows(row.get("account_id")).facts.push(Fact {
                revision: row.get("revision"),
                ordinal: row.get("ordinal"),
                kind: row.get("kind"),
                lead: row.get("lead_id"),
                previous_owner: row.get("previous_owner_id"),
                owner: row.get("owner_id"),
                occurred_at: row.get("occurred_at"),
                caller: row.get("caller_id"),
                actor_member: row.get("actor_member_id"),
                source: row.get("source"),
                reason: row.get("reason"),
                batch: row.get("batch_id"),
                payload: row.get::<Option<String>, _>("payload").map(|text| parsed(&text)),
                notice: row.get("notice"),
            });
        });
    }

    async fn read_leads(&mut self, sql: &Sql) {
        each_row!(sql, LEADS, |row| {
            let projection = json!({
                "stage": row.get::<String, _>("stage"),
                "stage_entered_at": row.get::<i64, _>("stage_entered_at"),
                "closed": row.get::<i64, _>("closed") == 1,
                "created_at": row.get::<i64, _>("created_at"),
                "source": row.get::<String, _>("source"),
                "attributes": parsed(row.get("attributes")),
                "observed_at": row.get::<i64, _>("observed_at"),
            });
            let revision: i64 = row.get("revision");
            let lead = LeadRow {
                owner: row.get("owner_id"),
                owner_since: row.get("owner_since"),
                revision,
                projection,
                overdue: row.get::<i64, _>("overdue_revision") == revision,
            };
            self.rows(row.get("account_id")).leads.insert(row.get("lead_id"), lead);
        });
    }

    async fn read_members(&mut self, sql: &Sql) {
        each_row!(sql, MEMBERS, |row| {
            let member = json!({
                "member_id": row.get::<String, _>("member_id"),
                "display_name": row.get::<String, _>("display_name"),
                "initials": row.get::<String, _>("initials"),
                "email": row.get::<String, _>("email"),
                "avatar_url": row.get::<String, _>("avatar_url"),
                "manager_id": row.get::<Option<String>, _>("manager_id"),
                "standing": row.get::<String, _>("standing"),
                "capacity": row.get::<Option<i64>, _>("capacity"),
                "observed_at": row.get::<i64, _>("observed_at"),
            });
            self.rows(row.get("account_id")).members.insert(row.get("member_id"), without_nulls(member));
        });
    }

    async fn read_settings(&mut self, sql: &Sql) {
        each_row!(sql, SETTINGS, |row| {
            let name: Option<String> = row.get("default_sender_name");
            let email: Option<String> = row.get("default_sender_email");
            let sender = name.map(|name| json!({ "name": name, "email": email }));
            let notify = (row.get::<i64, _>("notify_new_owner") == 1).then_some(true);
            let overdue = row.get::<Option<i64>, _>("overdue_after").map(|after| match after {
                0 => json!("never"),
                after => json!({ "after": after }),
            });
            let revision = row.get("revision");
            // What the release before does not know is left over from before it.
            let settings = if row.get::<i64, _>("notices_revision") < revision {
                json!({ "default_sender": sender })
            } else {
                json!({
                    "default_sender": sender,
                    "notify_new_owner": notify,
                    "overdue": overdue,
                    "overdue_from": row.get::<Option<i64>, _>("overdue_from"),
                })
            };
            let settings = without_nulls(settings);
            self.rows(row.get("account_id")).settings = Some(SettingsRow { settings, revision });
        });
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text:?} is not JSON: {error}"))
}

/// An object without the members that are null: absent and null mean the same here.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept: Map<_, _> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
            Value::Object(kept)
        }
        other => other,
    }
}
