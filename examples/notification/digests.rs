//! Digests: what is to be sent, and what was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use ownership_client::{Applied, Beginning, Handler, Position, Start, Step};
use serde_json::json;
use sqlx::{Row, SqliteConnection, SqlitePool};
use tokio::sync::Notify;

use super::consumer::{advance, open, position};

const TABLES: &str = "
    create table if not exists digest (id text primary key, member_id text not null, body text not null,
        sent integer not null default 0) strict, without rowid;
    create index if not exists digest_unsent on digest (id) where not sent;
";

/// The database of the service.
#[derive(Clone)]
pub struct Digests {
    tables: SqlitePool,
    written: Arc<Notify>,
}

impl Handler for Digests {
    type Error = anyhow::Error;

    /// Nobody is told of what happened before this service came.
    const BEGINNING: Beginning = Beginning::Here;

    async fn position(&self, account_id: &str) -> Result<Option<Position>> {
        position(&self.tables, account_id).await
    }

    async fn begin(&self, start: &Start) -> Result<Applied> {
        let mut tables = self.tables.begin().await?;
        let begun = advance(&mut tables, &start.account_id, start.from.as_ref(), &start.to).await?;
        tables.commit().await?;
        Ok(if begun { Applied::Done } else { Applied::Outrun })
    }

    async fn apply(&self, step: &Step) -> Result<Applied> {
        let mut tables = self.tables.begin().await?;
        if !advance(&mut tables, &step.account_id, Some(&step.from), &step.to).await? {
            return Ok(Applied::Outrun);
        }
        for intent in step.intents() {
            let leads: Vec<_> = step.changes_of(&intent).map(|change| &change.lead_id).collect();
            let body = json!({
                "to": intent.owner_id,
                "text": format!("You have got {} leads", intent.lead_count),
                "leads": leads,
            });
            // The history is in the id: after the database was put back, the same revision is another request.
            let history = &step.to.history_id;
            let id = format!("{}.{history}.{}.{}", step.account_id, intent.revision, intent.owner_id);
            insert(&mut tables, &id, &intent.owner_id, &body.to_string()).await?;
        }
        tables.commit().await?;
        self.written.notify_one();
        Ok(Applied::Done)
    }
}

async fn insert(tables: &mut SqliteConnection, id: &str, member_id: &str, body: &str) -> Result<()> {
    let insert = sqlx::query("insert into digest (id, member_id, body) values (?, ?, ?)");
    insert.bind(id).bind(member_id).bind(body).execute(tables).await?;
    Ok(())
}

impl Digests {
    /// Opens the database.
    pub async fn open(file: &PathBuf) -> Result<Self> {
        Ok(Self { tables: open(file, TABLES).await?, written: Arc::default() })
    }

    /// Sends what is to be sent, for ever: writes each digest to a file that has its id for a name.
    pub async fn send_to(&self, outbox: &Path) -> Result<()> {
        loop {
            let unsent = sqlx::query("select id, body from digest where not sent order by id limit 100");
            let unsent = unsent.fetch_all(&self.tables).await?;
            for row in &unsent {
                let (id, body): (String, String) = (row.get(0), row.get(1));
                let unfinished = outbox.join(format!(".{id}"));
                tokio::fs::write(&unfinished, body).await?;
                tokio::fs::rename(unfinished, outbox.join(&id)).await?;
                let sent = sqlx::query("update digest set sent = 1 where id = ?").bind(&id);
                sent.execute(&self.tables).await?;
            }
            if unsent.is_empty() {
                self.written.notified().await;
            }
        }
    }
}
