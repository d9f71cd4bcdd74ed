//! The database of one test: SQLite in a directory of its own, or a copy of a migrated Postgres database.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tempfile::TempDir;

use super::server;

/// The stores that the service runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    Sqlite,
    Postgres,
}

/// The store under test.
pub fn store() -> Store {
    match std::env::var("OWNERSHIP_TEST_STORE").as_deref() {
        Err(_) | Ok("sqlite") => Store::Sqlite,
        Ok("postgres") => Store::Postgres,
        Ok(other) => panic!("OWNERSHIP_TEST_STORE is {other:?}; it may be sqlite or postgres"),
    }
}

/// A database that disappears with its test.
pub enum Database {
    Sqlite(TempDir),
    Postgres(String),
}

impl Database {
    /// A database with the schema of the service.
    pub fn migrated() -> Self {
        match store() {
            Store::Sqlite => Self::empty(),
            Store::Postgres => create(Some(template())),
        }
    }

    /// A database without any table.
    pub fn empty() -> Self {
        match store() {
            Store::Sqlite => Self::Sqlite(TempDir::new().unwrap()),
            Store::Postgres => create(None),
        }
    }

    /// What goes into `database.url`.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite:{}", directory.path().join("ownership.db").display()),
            Self::Postgres(name) => at_postgres(name),
        }
    }

    /// Another one with the same content. Nobody may use this one.
    pub fn copy(&self) -> Self {
        match self {
            Self::Sqlite(directory) => {
                let copy = TempDir::new().unwrap();
                copy_files(directory.path(), copy.path());
                Self::Sqlite(copy)
            }
            Self::Postgres(name) => create(Some(name)),
        }
    }

    /// Gives it the content of another one. Nobody may use either of them.
    pub fn put_back(&self, copy: &Self) {
        match (self, copy) {
            (Self::Sqlite(directory), Self::Sqlite(copy)) => copy_files(copy.path(), directory.path()),
            (Self::Postgres(name), Self::Postgres(copy)) => aside(|| async {
                administer(format!("drop database {name} with (force)")).await;
                administer(format!("create database {name} template {copy}")).await;
            }),
            _ => panic!("two stores"),
        }
    }

    /// A way in beside the service.
    pub async fn open(&self) -> Sql {
        match self {
            Self::Sqlite(directory) => {
                let options = SqliteConnectOptions::new().filename(directory.path().join("ownership.db"));
                Sql::Sqlite(SqlitePoolOptions::new().max_connections(2).connect_with(options).await.unwrap())
            }
            Self::Postgres(name) => {
                let pool = PgPoolOptions::new().max_connections(2).connect(&at_postgres(name)).await;
                Sql::Postgres(pool.unwrap())
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres(name) = self {
            let statement = format!("drop database if exists {name} with (force)");
            aside(|| async { administer(statement).await });
        }
    }
}

/// Connections for plain SQL.
pub enum Sql {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Sql {
    /// Runs one statement; returns how many rows it touched.
    pub async fn run(&self, statement: impl Into<String>) -> u64 {
        self.try_run(statement).await.unwrap()
    }

    /// As `run`; of a statement that fails, what the database says.
    pub async fn try_run(&self, statement: impl Into<String>) -> Result<u64, String> {
        let statement = AssertSqlSafe(statement.into());
        let touched = match self {
            Self::Sqlite(pool) => pool.execute(statement).await.map(|done| done.rows_affected()),
            Self::Postgres(pool) => pool.execute(statement).await.map(|done| done.rows_affected()),
        };
        touched.map_err(|error| error.to_string())
    }

    /// Makes a standby of Postgres: a copy of all tables as they are now.
    pub async fn make_standby(&self) {
        self.run("create schema standby").await;
        self.run(for_each_table("create table standby.%1$I as table public.%1$I")).await;
    }

    /// Fails over to the standby, under whoever is connected: all at once, everything is as it was when that was made.
    pub async fn fail_over(&self) {
        self.run(for_each_table("delete from public.%1$I; insert into public.%1$I table standby.%1$I")).await;
    }

    /// The one number that a query asks for.
    pub async fn number(&self, query: &'static str) -> i64 {
        match self {
            Self::Sqlite(pool) => pool.fetch_one(query).await.unwrap().get(0),
            Self::Postgres(pool) => pool.fetch_one(query).await.unwrap().get(0),
        }
    }

    /// How many statements wait for a lock. Of SQLite nobody can ask that.
    pub async fn waiting(&self) -> i64 {
        self.number(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .await
    }

    /// Takes what a write of the account has to wait for, until the guard is dropped.
    pub async fn hold_head(&self, account: &str) -> Held {
        self.hold(format!("select 1 from account_head where account_id = '{account}' for update")).await
    }

    /// Takes the mark of an account in the outbox, which makes whoever writes to it wait late.
    pub async fn hold_mark(&self, account: &str) -> Held {
        let mark = format!("insert into outbox (account_id, revision, since) values ('{account}', 1, 1)");
        self.hold(mark + " on conflict (account_id) do update set revision = outbox.revision").await
    }

    async fn hold(&self, lock: String) -> Held {
        match self {
            Self::Sqlite(pool) => {
                let held = pool.begin_with("begin immediate").await.unwrap();
                Held::Sqlite { _held: held }
            }
            Self::Postgres(pool) => {
                let mut held = pool.begin().await.unwrap();
                held.execute(AssertSqlSafe(lock)).await.unwrap();
                Held::Postgres { held }
            }
        }
    }
}

/// Statements for each table of the service, in one transaction.
fn for_each_table(statements: &str) -> String {
    format!(
        "do $$ declare name text; begin \
           for name in select tablename from pg_tables where schemaname = 'public' loop \
             execute format('{statements}', name); \
           end loop; \
         end $$"
    )
}

/// The write lock of an account in strange hands.
pub enum Held {
    Sqlite { _held: sqlx::Transaction<'static, sqlx::Sqlite> },
    Postgres { held: sqlx::Transaction<'static, sqlx::Postgres> },
}

impl Held {
    /// Takes what all writes have to wait for.
    pub async fn and_all_others(&mut self) {
        // On SQLite it is the same.
        if let Self::Postgres { held } = self {
            held.execute("savepoint one").await.unwrap();
            held.execute("lock table account_head in exclusive mode").await.unwrap();
        }
    }

    /// Lets writes of other accounts go on, where that is possible.
    pub async fn only(mut self) -> Option<Self> {
        let Self::Postgres { held } = &mut self else { return None };
        held.execute("rollback to savepoint one").await.unwrap();
        Some(self)
    }
}

/// Copies all files of a directory, and removes what else there is.
fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(to).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn server_url() -> String {
    std::env::var("OWNERSHIP_TEST_POSTGRES_URL").expect(
        "OWNERSHIP_TEST_POSTGRES_URL names no Postgres server; tests/run starts one of its own and sets the variable",
    )
}

/// The URL of the test server with another database in it.
fn at_postgres(database: &str) -> String {
    let url = server_url();
    let (base, query) = url.split_once('?').map_or((url.as_str(), None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").expect("a URL") + 3;
    let end = base[authority..].find('/').map_or(base.len(), |slash| authority + slash);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &base[..end])
}

fn create(template: Option<&str>) -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("ownership_it_{}_{number}", std::process::id());
    let template = template.map(|template| format!(" template {template}")).unwrap_or_default();
    let statement = format!("create database {name}{template}");
    aside(|| async { administer(statement).await });
    Database::Postgres(name)
}

/// The database that all others of this process are copied from: migrated once, by the program under test.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("ownership_it_{}_template", std::process::id());
        let statement = format!("create database {name}");
        aside(|| async {
            drop_leftovers().await;
            administer(statement).await
        });
        let output = server::run(&["migrate"], &[("OWNERSHIP__DATABASE__URL", &at_postgres(&name))]);
        assert!(output.status.success(), "migrate failed: {}", String::from_utf8_lossy(&output.stderr));
        name
    })
}

/// Drops the databases of earlier runs that were killed before they could.
async fn drop_leftovers() {
    let mut connection = PgConnection::connect(&server_url()).await.unwrap();
    let names = "select datname from pg_database where datname like 'ownership\\_it\\_%'";
    for row in connection.fetch_all(names).await.unwrap() {
        let name: String = row.get(0);
        let process = name.split('_').nth(2).unwrap_or_default();
        if !std::path::Path::new("/proc").join(process).exists() {
            administer(format!("drop database if exists {name} with (force)")).await;
        }
    }
}

async fn administer(statement: String) {
    let mut connection = PgConnection::connect(&server_url()).await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
}

/// Runs something asynchronous to its end where nothing asynchronous can be awaited.
fn aside<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send) {
    std::thread::scope(|scope| {
        let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work());
        scope.spawn(run).join().unwrap();
    });
}
