//! The tables: who owns which lead, and who sends to whom in which campaign.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use ownership_client::proto::v1::{ChangeKind, OwnerChange};
use ownership_client::{Applied, Handler, Position, Start, Step};
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::consumer::{advance, is_away, open, position};

const TABLES: &str = "
    create table if not exists owner (account_id text not null, lead_id text not null, owner_id text,
        primary key (account_id, lead_id)) strict, without rowid;
    create table if not exists campaign (account_id text not null, name text not null, revision integer not null,
        primary key (account_id, name)) strict, without rowid;
    create table if not exists recipient (account_id text not null, campaign text not null, lead_id text not null,
        sender text, primary key (account_id, campaign, lead_id)) strict, without rowid;
";

/// The database of the service.
pub struct Table(SqlitePool);

impl Handler for Table {
    type Error = anyhow::Error;

    async fn position(&self, account_id: &str) -> Result<Option<Position>> {
        position(&self.0, account_id).await
    }

    async fn begin(&self, start: &Start) -> Result<Applied> {
        let Start { account_id, from, to, leads, .. } = start;
        let mut tables = self.0.begin().await?;
        if !advance(&mut tables, account_id, from.as_ref(), to).await? {
            return Ok(Applied::Outrun);
        }
        let forget = sqlx::query("delete from owner where account_id = ?").bind(account_id);
        forget.execute(&mut *tables).await?;
        let rows = leads.iter().map(|lead| json!([lead.lead_id, lead.owner_id])).collect();
        keep(&mut tables, account_id, rows).await?;
        tables.commit().await?;
        Ok(Applied::Done)
    }

    async fn apply(&self, step: &Step) -> Result<Applied> {
        let mut tables = self.0.begin().await?;
        if !advance(&mut tables, &step.account_id, Some(&step.from), &step.to).await? {
            return Ok(Applied::Outrun);
        }
        // Of several changes of a lead, the last one holds.
        let last: BTreeMap<_, _> = step.changes.iter().map(|change| (&change.lead_id, change)).collect();
        let (forgotten, owned): (Vec<&OwnerChange>, Vec<_>) =
            last.into_values().partition(|change| change.kind() == ChangeKind::Forgotten);
        forget(&mut tables, &step.account_id, forgotten.iter().map(|change| json!(change.lead_id)).collect()).await?;
        let rows = owned.iter().map(|change| json!([change.lead_id, change.owner_id])).collect();
        keep(&mut tables, &step.account_id, rows).await?;
        tables.commit().await?;
        Ok(Applied::Done)
    }

    fn is_away(&self, error: &anyhow::Error) -> bool {
        is_away(error)
    }
}

async fn forget(tables: &mut SqliteConnection, account_id: &str, leads: Value) -> Result<()> {
    let delete = "delete from owner where account_id = ? and lead_id in (select value from json_each(?))";
    sqlx::query(delete).bind(account_id).bind(leads.to_string()).execute(tables).await?;
    Ok(())
}

/// Notes down who owns some leads: `[lead, owner]` each.
async fn keep(tables: &mut SqliteConnection, account_id: &str, owners: Value) -> Result<()> {
    let insert = "insert or replace into owner select ?, value ->> 0, value ->> 1 from json_each(?)";
    sqlx::query(insert).bind(account_id).bind(owners.to_string()).execute(tables).await?;
    Ok(())
}

impl Table {
    /// Opens the database.
    pub async fn open(file: &PathBuf) -> Result<Self> {
        Ok(Self(open(file, TABLES).await?))
    }

    /// How many leads each owner has, as far as the events have told.
    pub async fn preview(&self, account_id: &str) -> Result<Vec<(Option<String>, i64)>> {
        let count = "select owner_id, count(*) from owner where account_id = ? group by owner_id order by owner_id";
        let rows = sqlx::query(count).bind(account_id).fetch_all(&self.0).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Begins to note down a campaign; nothing of it is there until it is committed.
    pub async fn new_campaign(&self) -> Result<sqlx::SqliteTransaction<'static>> {
        Ok(self.0.begin().await?)
    }

    /// The revision at which a campaign was started.
    pub async fn started_at(&self, account_id: &str, name: &str) -> Result<i64> {
        let read = sqlx::query("select revision from campaign where account_id = ? and name = ?");
        Ok(read.bind(account_id).bind(name).fetch_one(&self.0).await?.get(0))
    }

    /// Some recipients of a campaign after a lead, each with the address it is sent from.
    pub async fn recipients(
        &self,
        account_id: &str,
        name: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, Option<String>)>> {
        let read = "select lead_id, sender from recipient
            where account_id = ? and campaign = ? and lead_id > ? order by lead_id limit ?";
        let read = sqlx::query(read).bind(account_id).bind(name).bind(after).bind(limit);
        Ok(read.fetch_all(&self.0).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// Notes down the start of a campaign.
pub async fn insert_campaign(tables: &mut SqliteConnection, account_id: &str, name: &str, revision: i64) -> Result<()> {
    let insert = sqlx::query("insert into campaign values (?, ?, ?)").bind(account_id).bind(name).bind(revision);
    insert.execute(tables).await?;
    Ok(())
}

/// Notes down recipients: lead and address of the sender.
pub async fn insert_recipients(
    tables: &mut SqliteConnection,
    account_id: &str,
    name: &str,
    recipients: &[(String, Option<String>)],
) -> Result<()> {
    let insert = "insert into recipient select ?, ?, value ->> 0, value ->> 1 from json_each(?)";
    let insert = sqlx::query(insert).bind(account_id).bind(name).bind(json!(recipients).to_string());
    insert.execute(tables).await?;
    Ok(())
}
