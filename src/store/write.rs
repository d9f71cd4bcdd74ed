//! What a batch of requests writes.

use std::sync::LazyLock;

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::table::{Rows, Table};
use super::{Error, Tx, ageing, dialect, facts, leads, members, requests, settings};
use crate::domain::book::{Look, Touched};
use crate::domain::fact::Commit;
use crate::domain::ids::AccountId;
use crate::domain::published::is_published;
use crate::domain::time::Timestamp;

/// What a batch of requests comes to.
#[derive(Debug)]
pub struct Written<'a> {
    /// What is added to the log, and moves the head of the account to the last of them.
    pub commits: &'a [Commit],
    /// What the commits leave of everything they touch.
    pub touched: &'a Touched,
    /// The request ids that are used from now on.
    pub used: &'a [requests::Used],
    /// The time.
    pub at: Timestamp,
}

/// Writes what a batch of requests comes to, to an account whose head is locked.
#[tracing::instrument(level = "debug", skip_all, fields(commits = written.commits.len()))]
pub async fn write(tx: &Tx, account: &AccountId, written: &Written<'_>) -> Result<(), Error> {
    let Written { commits, touched, used, at } = *written;
    let Touched { leads, ownerships, forgotten, members, settings, look } = touched;
    let out = Out { tx, account, backend: tx.inner.get_database_backend() };
    out.put(&leads::TABLE, Table::replace, leads::rows(leads)).await?;
    out.put(&leads::KEY, Table::delete, leads::key_rows(forgotten)).await?;
    out.put(&members::TABLE, Table::replace, members::rows(members)).await?;
    if let Some((settings, revision)) = settings {
        settings::put(tx, account, settings, *revision).await?;
    }
    let look_by = match look {
        Look::By(time) => *time,
        Look::At(time) => {
            ageing::look_at(tx, account, *time).await?;
            None
        }
    };
    let usual = Usual {
        facts: facts::rows(commits),
        ownerships: leads::ownership_rows(ownerships),
        requests: requests::rows(used, at),
        head: commits.last().map(|last| [last.revision.0, last.at.0]).unwrap_or_default(),
        look_by: look_by.map(|time| time.0),
        to_publish: commits.iter().rfind(|commit| is_published(commit)).map_or(0, |commit| commit.revision.0),
    };
    match out.backend {
        DbBackend::Sqlite => out.one_by_one(usual).await,
        _ => out.at_once(usual).await,
    }
}

/// What most batches write.
struct Usual {
    facts: Rows,
    ownerships: Rows,
    requests: Rows,
    /// The revision of the head and its time. An earlier one than the present leaves the head where it is.
    head: [i64; 2],
    /// When the account is to be looked at for leads that nobody has owned for too long, if not earlier.
    look_by: Option<i64>,
    /// The last revision that others are to hear of; 0 if there is none.
    to_publish: i64,
}

struct Out<'a> {
    tx: &'a Tx,
    account: &'a AccountId,
    backend: DbBackend,
}

impl Out<'_> {
    /// One statement with rows, if there are any.
    async fn put(&self, table: &Table, sql: fn(&Table, DbBackend, usize) -> String, rows: Rows) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        self.execute(&sql(table, self.backend, 2), rows.into_parameters(table, self.backend)).await
    }

    /// In a database in the same process a statement costs no round trip.
    async fn one_by_one(&self, usual: Usual) -> Result<(), Error> {
        let Usual { facts, ownerships, requests, head: [revision, at], look_by, to_publish } = usual;
        self.put(&facts::TABLE, Table::insert, facts).await?;
        self.put(&leads::OWNERSHIP, Table::update, ownerships).await?;
        self.put(&requests::TABLE, Table::insert, requests).await?;
        if to_publish > 0 {
            self.execute(&dialect::outbox::mark(self.backend, 2, 3), vec![to_publish.into(), at.into()]).await?;
        }
        self.execute(&move_head(self.backend, [2, 3, 4]), vec![revision.into(), at.into(), look_by.into()]).await
    }

    /// Everything in one round trip.
    async fn at_once(&self, usual: Usual) -> Result<(), Error> {
        let Usual { facts, ownerships, requests, head: [revision, at], look_by, to_publish } = usual;
        let mut parameters: Vec<Value> = vec![revision.into(), at.into(), to_publish.into(), look_by.into()];
        for (rows, table) in [(facts, &facts::TABLE), (ownerships, &leads::OWNERSHIP), (requests, &requests::TABLE)] {
            parameters.extend(rows.into_parameters(table, self.backend));
        }
        self.execute(&AT_ONCE, parameters).await
    }

    async fn execute(&self, sql: &str, mut parameters: Vec<Value>) -> Result<(), Error> {
        parameters.insert(0, self.account.as_str().into());
        let statement = Statement::from_sql_and_values(self.backend, sql, parameters);
        self.tx.inner.execute_raw(statement).await?;
        Ok(())
    }
}

/// Moves the head of an account, which may be marked to be looked at with it: a time that is there already stays as it is, so that
/// no index has to change.
fn move_head(backend: DbBackend, [revision, at, look_by]: [usize; 3]) -> String {
    let sign = if backend == DbBackend::Sqlite { '?' } else { '$' };
    let look_by = dialect::ageing::earlier(backend, look_by);
    format!(
        "UPDATE account_head SET revision = {sign}{revision}, changed_at = {sign}{at}, overdue_at = {look_by} \
         WHERE account_id = {sign}1 AND revision < {sign}{revision}"
    )
}

/// All parts of a statement see the tables as they were before it: no two of these write the same one.
static AT_ONCE: LazyLock<String> = LazyLock::new(|| {
    let backend = DbBackend::Postgres;
    let of_facts = 6;
    let of_ownerships = of_facts + facts::TABLE.columns.len();
    let of_requests = of_ownerships + leads::OWNERSHIP.columns.len();
    format!(
        "WITH facts AS ({}), ownerships AS ({}), requests AS ({}), marks AS ({}) {}",
        facts::TABLE.insert(backend, of_facts),
        leads::OWNERSHIP.update(backend, of_ownerships),
        requests::TABLE.insert(backend, of_requests),
        dialect::outbox::mark(backend, 4, 3),
        move_head(backend, [2, 3, 5]),
    )
});
