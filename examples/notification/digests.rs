//! Digests and alerts: what is to be sent, and what was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use ownership_client::proto::v1::NotificationIntent;
use ownership_client::{Applied, Beginning, Handler, Position, Start, Step};
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection, SqlitePool};
use tokio::sync::Notify;

use super::consumer::{advance, is_away, open, position};

const TABLES: &str = "
    create table if not exists message (id text primary key, body text not null, sent integer not null default 0)
        strict, without rowid;
    create index if not exists message_unsent on message (id) where not sent;
";

/// Stands for nobody in the id of an alert. No id of a member begins like this.
const NOBODY: &str = "_nobody";

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
        for (id, body) in digests(step).into_iter().chain(alerts(step)) {
            insert(&mut tables, &id, &body).await?;
        }
        tables.commit().await?;
        self.written.notify_one();
        Ok(Applied::Done)
    }

    fn is_away(&self, error: &anyhow::Error) -> bool {
        is_away(error)
    }
}

/// What each new owner is told of a request.
fn digests(step: &Step) -> Vec<(String, Value)> {
    let digest = |intent: NotificationIntent| {
        let leads: Vec<_> = step.changes_of(&intent).map(|change| &change.lead_id).collect();
        let text = format!("You have got {} leads", intent.lead_count);
        (id(step, intent.revision, &intent.owner_id), json!({ "to": intent.owner_id, "text": text, "leads": leads }))
    };
    step.intents().into_iter().map(digest).collect()
}

/// What those who look after an account are told: of leads that nobody has owned for too long, all that were found together at once.
fn alerts(step: &Step) -> Vec<(String, Value)> {
    let mut found: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for lead in &step.overdue {
        found.entry(lead.revision).or_default().push(&lead.lead_id);
    }
    let alert = |(revision, leads): (i64, Vec<&str>)| {
        let text = format!("Nobody has owned {} leads for too long", leads.len());
        (id(step, revision, NOBODY), json!({ "to": null, "text": text, "leads": leads }))
    };
    found.into_iter().map(alert).collect()
}

/// The same, however often the same is told. With the history: after the database was put back, the same revision is another request.
fn id(step: &Step, revision: i64, to: &str) -> String {
    format!("{}.{}.{revision}.{to}", step.account_id, step.to.history_id)
}

async fn insert(tables: &mut SqliteConnection, id: &str, body: &Value) -> Result<()> {
    let insert = sqlx::query("insert into message (id, body) values (?, ?)");
    insert.bind(id).bind(body.to_string()).execute(tables).await?;
    Ok(())
}

impl Digests {
    /// Opens the database.
    pub async fn open(file: &PathBuf) -> Result<Self> {
        Ok(Self { tables: open(file, TABLES).await?, written: Arc::default() })
    }

    /// Sends what is to be sent, for ever: writes each message to a file that has its id for a name.
    pub async fn send_to(&self, outbox: &Path) -> Result<()> {
        loop {
            let unsent = sqlx::query("select id, body from message where not sent order by id limit 100");
            let unsent = unsent.fetch_all(&self.tables).await?;
            for row in &unsent {
                let (id, body): (String, String) = (row.get(0), row.get(1));
                let unfinished = outbox.join(format!(".{id}"));
                tokio::fs::write(&unfinished, body).await?;
                tokio::fs::rename(unfinished, outbox.join(&id)).await?;
                let sent = sqlx::query("update message set sent = 1 where id = ?").bind(&id);
                sent.execute(&self.tables).await?;
            }
            if unsent.is_empty() {
                self.written.notified().await;
            }
        }
    }
}
