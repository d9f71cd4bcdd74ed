//! What requests write that share a transaction.

use std::sync::LazyLock;

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::table::{Kind, Rows, Table, optional_number};
use super::{Error, Tx, ageing, dialect, facts, leads, members, requests, settings};
use crate::domain::book::{Look, Touched};
use crate::domain::fact::Commit;
use crate::domain::ids::AccountId;
use crate::domain::published::is_published;
use crate::domain::time::Timestamp;

/// What the requests of an account come to.
#[derive(Debug)]
pub struct Written<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// What is added to its log, and moves its head to the last of them.
    pub commits: &'a [Commit],
    /// What the commits leave of everything they touch.
    pub touched: &'a Touched,
    /// The request ids that are used from now on.
    pub used: &'a [requests::Used],
    /// The time.
    pub at: Timestamp,
}

/// Heads as they move, and what others are to hear of.
const HEAD: Table = Table {
    name: "account_head",
    key: 1,
    columns: &[
        ("account_id", Kind::Text),
        ("revision", Kind::BigInteger),
        ("changed_at", Kind::BigInteger),
        // When the account is to be looked at for leads that nobody has owned for too long, if not earlier.
        ("overdue_at", Kind::OptionalBigInteger),
        // The last revision that others are to hear of; 0 if there is none.
        ("to_publish", Kind::BigInteger),
    ],
};

/// Writes what requests come to, to accounts whose heads are locked.
#[tracing::instrument(level = "debug", skip_all, fields(accounts = written.len()))]
pub async fn write(tx: &Tx, written: &[Written<'_>]) -> Result<(), Error> {
    let out = Out { tx, backend: tx.inner.get_database_backend() };
    for Written { account, touched, .. } in written {
        if let Some((settings, revision)) = &touched.settings {
            settings::put(tx, account, settings, *revision).await?;
        }
        if let Look::At(time) = touched.look {
            ageing::look_at(tx, account, time).await?;
        }
    }
    let leads = of_each(written, |touched| &touched.leads, leads::row_of);
    out.put(&leads::TABLE, Table::replace, leads).await?;
    out.put(&leads::KEY, Table::delete, of_each(written, |touched| &touched.forgotten, leads::key_of)).await?;
    out.put(&members::TABLE, Table::replace, of_each(written, |touched| &touched.members, members::row_of)).await?;
    let usual = Usual::of(written);
    match out.backend {
        DbBackend::Sqlite => out.one_by_one(usual).await,
        _ => out.at_once(usual).await,
    }
}

/// A row for each thing of a kind that was touched.
fn of_each<'a, T: 'a, const COLUMNS: usize>(
    written: &'a [Written<'_>],
    touched: fn(&Touched) -> &Vec<T>,
    row: fn(&AccountId, &T) -> [Value; COLUMNS],
) -> Rows {
    Rows::of(written.iter().flat_map(|each| touched(each.touched).iter().map(|thing| row(each.account, thing))))
}

/// What most requests write.
struct Usual {
    facts: Rows,
    ownerships: Rows,
    requests: Rows,
    heads: Rows,
}

impl Usual {
    fn of(written: &[Written<'_>]) -> Self {
        let commits = written.iter().flat_map(|each| each.commits.iter().map(|commit| (each.account, commit)));
        // As whoever marks accounts again: otherwise the two could wait for each other.
        let mut in_order: Vec<_> = written.iter().collect();
        in_order.sort_unstable_by_key(|each| each.account);
        let used = written.iter().flat_map(|each| each.used.iter().map(move |used| (each, used)));
        Self {
            facts: Rows::of(commits.flat_map(|(account, commit)| facts::rows_of(account, commit))),
            ownerships: of_each(written, |touched| &touched.ownerships, leads::ownership_of),
            requests: Rows::of(used.map(|(each, used)| requests::row_of(each.account, used, each.at))),
            heads: Rows::of(in_order.into_iter().filter_map(head_of)),
        }
    }
}

/// The head of an account as a row, if it moves.
fn head_of(written: &Written<'_>) -> Option<[Value; 5]> {
    let Written { account, commits, touched, .. } = written;
    let Commit { revision, at, .. } = commits.last()?;
    let look_by = if let Look::By(time) = touched.look { time } else { None };
    let to_publish = commits.iter().rfind(|commit| is_published(commit)).map_or(0, |commit| commit.revision.0);
    let look_by = optional_number(look_by.map(|time| time.0));
    Some([account.as_str().into(), revision.0.into(), at.0.into(), look_by, to_publish.into()])
}

struct Out<'a> {
    tx: &'a Tx,
    backend: DbBackend,
}

impl Out<'_> {
    /// One statement with rows, if there are any.
    async fn put(&self, table: &Table, sql: fn(&Table, DbBackend, usize) -> String, rows: Rows) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        self.execute(&sql(table, self.backend, 1), rows.into_parameters(table, self.backend)).await
    }

    /// In a database in the same process a statement costs no round trip.
    async fn one_by_one(&self, usual: Usual) -> Result<(), Error> {
        let Usual { facts, ownerships, requests, heads } = usual;
        self.put(&facts::TABLE, Table::insert, facts).await?;
        self.put(&leads::OWNERSHIP, Table::update, ownerships).await?;
        self.put(&requests::TABLE, Table::insert, requests).await?;
        self.put(&HEAD, dialect::outbox::mark, heads.clone()).await?;
        self.put(&HEAD, move_heads, heads).await
    }

    /// Everything in one round trip.
    async fn at_once(&self, usual: Usual) -> Result<(), Error> {
        let Usual { facts, ownerships, requests, heads } = usual;
        let rows =
            [(facts, &facts::TABLE), (ownerships, &leads::OWNERSHIP), (requests, &requests::TABLE), (heads, &HEAD)];
        let parameters = rows.into_iter().flat_map(|(rows, table)| rows.into_parameters(table, self.backend));
        self.execute(&AT_ONCE, parameters.collect()).await
    }

    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<(), Error> {
        let statement = Statement::from_sql_and_values(self.backend, sql, parameters);
        self.tx.inner.execute_raw(statement).await?;
        Ok(())
    }
}

/// Moves the heads of accounts, which may be marked to be looked at with it: a time that is there already stays as it is, so that no
/// index has to change.
fn move_heads(heads: &Table, backend: DbBackend, first: usize) -> String {
    let [account, revision, at, look_by] =
        ["account_id", "revision", "changed_at", "overdue_at"].map(|column| heads.value(backend, column));
    let (source, look_by) = (dialect::source(heads, backend, first), dialect::ageing::earlier(backend, &look_by));
    format!(
        "UPDATE account_head SET revision = {revision}, changed_at = {at}, overdue_at = {look_by} \
         FROM {source} WHERE account_head.account_id = {account}"
    )
}

/// All parts of a statement see the tables as they were before it: no two of these write the same one.
static AT_ONCE: LazyLock<String> = LazyLock::new(|| {
    let backend = DbBackend::Postgres;
    let of_ownerships = 1 + facts::TABLE.columns.len();
    let of_requests = of_ownerships + leads::OWNERSHIP.columns.len();
    let of_heads = of_requests + requests::TABLE.columns.len();
    format!(
        "WITH facts AS ({}), ownerships AS ({}), requests AS ({}), marks AS ({}) {}",
        facts::TABLE.insert(backend, 1),
        leads::OWNERSHIP.update(backend, of_ownerships),
        requests::TABLE.insert(backend, of_requests),
        dialect::outbox::mark(&HEAD, backend, of_heads),
        move_heads(&HEAD, backend, of_heads),
    )
});
