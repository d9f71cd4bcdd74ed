use std::collections::HashSet;

use ownership_migrations::{Error, Migrator, migrate, pending};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ActiveModelTrait, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, IsolationLevel, Set,
    Statement, TransactionTrait,
};
use sea_orm_migration::seaql_migrations;

use crate::support::{Scratch, on_postgres};

fn all() -> Vec<String> {
    Migrator::migrations().iter().map(|change| change.name().to_owned()).collect()
}

#[tokio::test]
async fn an_empty_database_gets_every_change_and_a_second_call_has_nothing_to_do() {
    let scratch = Scratch::empty().await;
    assert_eq!(migrate(&scratch.url).await.unwrap(), all());
    assert!(migrate(&scratch.url).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_starts_at_once_all_succeed_and_each_change_is_applied_once() {
    let scratch = Scratch::empty().await;
    let start = || {
        let url = scratch.url.clone();
        tokio::spawn(async move { migrate(&url).await })
    };
    let starts = [start(), start(), start()];
    let mut applied = Vec::new();
    for start in starts {
        applied.extend(start.await.unwrap().unwrap());
    }
    assert_eq!(applied, all());
    assert!(pending(&scratch.connect().await).await.unwrap().is_empty());
}

#[tokio::test]
async fn everything_is_pending_before_the_first_migration_and_asking_creates_nothing() {
    let scratch = Scratch::empty().await;
    let db = scratch.connect().await;
    assert_eq!(pending(&db).await.unwrap(), all());
    assert!(!SchemaManager::new(&db).has_table("seaql_migrations").await.unwrap());
}

#[tokio::test]
async fn a_database_that_a_newer_release_migrated_is_served_and_left_alone() {
    let (scratch, db) = Scratch::migrated().await;
    let newer = seaql_migrations::ActiveModel { version: Set("m29990101_000001_later".into()), applied_at: Set(0) };
    newer.insert(&db).await.unwrap();
    assert!(pending(&db).await.unwrap().is_empty());
    assert!(migrate(&scratch.url).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_store_gets_an_identity_and_a_key_of_its_own() {
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let (_scratch, db) = Scratch::migrated().await;
        let rows =
            db.query_all_raw(sea_orm::Statement::from_string(db.get_database_backend(), SELECT_META)).await.unwrap();
        let values: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        let [history_id, token_key] = values.try_into().unwrap();
        assert_eq!(uuid::Uuid::parse_str(&history_id).unwrap().get_version_num(), 4);
        assert_eq!(token_key.len(), 64);
        assert!(token_key.bytes().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()));
        assert!(seen.insert(history_id) && seen.insert(token_key));
    }
}

const SELECT_META: &str = "SELECT value FROM store_meta WHERE key <> 'ageing_from' ORDER BY key";

#[tokio::test]
async fn when_ageing_begins_those_accounts_are_looked_at_whose_leads_may_have_begun_to_wait() {
    let scratch = Scratch::empty().await;
    let db = scratch.connect().await;
    Migrator::up(&db, Some(12)).await.unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let head = "INSERT INTO account_head (account_id, revision, changed_at, facts_floor, history_floor) VALUES";
    let an_hour = 3_600_000_000;
    db.execute_unprepared(&format!("{head} ('quiet', 1, {}, 0, 0)", now - 25 * an_hour)).await.unwrap();
    db.execute_unprepared(&format!("{head} ('busy', 1, {}, 0, 0)", now - 23 * an_hour)).await.unwrap();
    migrate(&scratch.url).await.unwrap();
    // The release before does not know better.
    db.execute_unprepared(&format!("{head} ('new', 1, {now}, 0, 0)")).await.unwrap();
    let select = "SELECT account_id FROM account_head WHERE overdue_at IS NOT NULL";
    let rows = db.query_all_raw(sea_orm::Statement::from_string(db.get_database_backend(), select)).await.unwrap();
    let marked: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    assert_eq!(marked, ["busy"]);
}

/// What comes before the index that is built while others write.
const BEFORE_THE_INDEX: u32 = 17;

/// Whether that index is there, and used.
async fn is_valid(db: &DatabaseConnection) -> Option<bool> {
    let select = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('account_head_by_overdue')";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), select)).await.unwrap()?;
    Some(row.try_get_by_index(0).unwrap())
}

/// Somebody who reads the table, as a backup does, until this is dropped.
async fn reader(db: &DatabaseConnection) -> DatabaseTransaction {
    let reader = db.begin_with_config(Some(IsolationLevel::RepeatableRead), None).await.unwrap();
    reader.execute_unprepared("SELECT count(*) FROM account_head").await.unwrap();
    reader
}

#[tokio::test]
async fn an_index_waits_for_those_who_read_and_nobody_waits_for_it() {
    if !on_postgres() {
        return;
    }
    let scratch = Scratch::empty().await;
    let db = scratch.connect().await;
    Migrator::up(&db, Some(BEFORE_THE_INDEX)).await.unwrap();
    let reader = reader(&db).await;
    let mut migration = std::pin::pin!(migrate(&scratch.url));
    // Longer than other changes wait.
    let early = tokio::time::timeout(std::time::Duration::from_secs(3), &mut migration).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(is_valid(&db).await, Some(false));
    let insert = "INSERT INTO account_head (account_id, revision, changed_at, facts_floor, history_floor) VALUES";
    db.execute_unprepared(&format!("{insert} ('busy', 1, 0, 0, 0)")).await.unwrap();
    reader.commit().await.unwrap();
    migration.await.unwrap();
    assert_eq!(is_valid(&db).await, Some(true));
}

#[tokio::test]
async fn an_index_that_was_left_half_built_is_built_again() {
    if !on_postgres() {
        return;
    }
    let scratch = Scratch::empty().await;
    let db = scratch.connect().await;
    Migrator::up(&db, Some(BEFORE_THE_INDEX)).await.unwrap();
    let reader = reader(&db).await;
    let cut_off = Database::connect(ConnectOptions::new(&scratch.url).max_connections(1).to_owned()).await.unwrap();
    cut_off.execute_unprepared("SET lock_timeout = '50ms'").await.unwrap();
    let create = "CREATE INDEX CONCURRENTLY account_head_by_overdue ON account_head (overdue_at)";
    cut_off.execute_unprepared(create).await.unwrap_err();
    assert_eq!(is_valid(&db).await, Some(false));
    reader.commit().await.unwrap();
    migrate(&scratch.url).await.unwrap();
    assert_eq!(is_valid(&db).await, Some(true));
}

#[tokio::test]
async fn a_new_sqlite_file_is_in_wal_mode() {
    if on_postgres() {
        return;
    }
    let (_scratch, db) = Scratch::migrated().await;
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), "PRAGMA journal_mode");
    let mode: String = db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_url_that_names_no_database_file_or_server_is_refused_without_being_repeated() {
    for url in ["mysql://user:secret@localhost/db", "ownership.db", "postgres://user:secret@[/", ""] {
        let error = migrate(url).await.unwrap_err();
        assert!(matches!(error, Error::UnsupportedUrl), "{url}: {error:?}");
        assert!(!error.to_string().contains("secret"));
    }
    for url in ["sqlite::memory:", "sqlite://?mode=memory", "sqlite:"] {
        assert!(matches!(migrate(url).await.unwrap_err(), Error::InMemory), "{url}");
    }
}
