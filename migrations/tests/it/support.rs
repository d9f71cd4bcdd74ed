//! A database per test.

use std::env;
use std::thread;

use sea_orm_migration::sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// An empty database that exists as long as this value.
pub(crate) struct Scratch {
    pub url: String,
    place: Place,
}

enum Place {
    Directory { _directory: TempDir },
    Postgres { server: String, name: String },
}

impl Scratch {
    /// An empty database of the kind under test.
    pub(crate) async fn empty() -> Self {
        if on_postgres() { Self::on_server(server()).await } else { Self::in_directory() }
    }

    /// A database with the newest schema, and a connection to it.
    pub(crate) async fn migrated() -> (Self, DatabaseConnection) {
        let scratch = Self::empty().await;
        ownership_migrations::migrate(&scratch.url).await.unwrap();
        let db = scratch.connect().await;
        (scratch, db)
    }

    pub(crate) async fn connect(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }

    fn in_directory() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // `rwc` lets a test connect before anything has migrated.
        let url = format!("sqlite:{}?mode=rwc", directory.path().join("ownership.db").display());
        Self { url, place: Place::Directory { _directory: directory } }
    }

    async fn on_server(server: String) -> Self {
        let name = format!("ownership_migrations_{}", Uuid::new_v4().simple());
        execute_on(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').expect("the URL ends with the name of a database");
        Self { url: format!("{base}/{name}"), place: Place::Postgres { server, name } }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Place::Postgres { server, name } = &self.place else {
            return;
        };
        let (server, sql) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // The test's runtime cannot be waited for from within itself.
        let dropped = thread::spawn(move || runtime().block_on(execute_on(&server, &sql))).join();
        assert!(dropped.is_ok() || thread::panicking(), "cannot drop {name}");
    }
}

pub(crate) fn on_postgres() -> bool {
    match env::var("OWNERSHIP_TEST_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("OWNERSHIP_TEST_STORE is `{other}`: say `sqlite` or `postgres`"),
    }
}

fn server() -> String {
    env::var("OWNERSHIP_TEST_POSTGRES_URL")
        .expect("OWNERSHIP_TEST_POSTGRES_URL names the Postgres server to test on; `tests/run` starts one and sets it")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn execute_on(server: &str, sql: &str) {
    let db = Database::connect(server).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}
