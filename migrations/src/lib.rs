//! The schema of the ownership service, and the only way to change it.
//!
//! One change per file, named `mYYYYMMDD_NNNNNN_what`, listed in [`Migrator`]. Changes only go forwards: a release works
//! with the schema of the release before it and after it, so rolling back the service never rolls back the schema.
//! `README.md` beside this crate says how to add one.

mod change;
mod connection;
mod dialect;
mod error;
mod index;
mod lock;

mod m20261123_000001_create_store_meta;
mod m20261123_000002_seed_store_meta;
mod m20261123_000003_create_account_head;
mod m20261123_000004_create_fact;
mod m20261123_000005_refuse_update_of_fact;
mod m20261123_000006_create_lead;
mod m20261123_000007_create_member;
mod m20261123_000008_create_account_settings;
mod m20261123_000009_create_request;
mod m20261124_000010_create_outbox;
mod m20261124_000011_fill_outbox;
mod m20261124_000012_create_published;
mod m20261125_000013_add_notice_to_fact;
mod m20261125_000014_validate_notice_of_fact;
mod m20261125_000015_add_notices_to_account_settings;
mod m20261125_000016_add_overdue_to_lead;
mod m20261125_000017_add_overdue_to_account_head;
mod m20261125_000018_index_overdue_of_account_head;
mod m20261125_000019_begin_ageing;

use std::collections::HashSet;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, EntityTrait};
use sea_orm_migration::seaql_migrations;

pub use error::Error;

/// All changes, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_create_store_meta::CHANGE),
            Box::new(m20261123_000002_seed_store_meta::Migration),
            Box::new(m20261123_000003_create_account_head::CHANGE),
            Box::new(m20261123_000004_create_fact::CHANGE),
            Box::new(m20261123_000005_refuse_update_of_fact::CHANGE),
            Box::new(m20261123_000006_create_lead::CHANGE),
            Box::new(m20261123_000007_create_member::CHANGE),
            Box::new(m20261123_000008_create_account_settings::CHANGE),
            Box::new(m20261123_000009_create_request::CHANGE),
            Box::new(m20261124_000010_create_outbox::CHANGE),
            Box::new(m20261124_000011_fill_outbox::CHANGE),
            Box::new(m20261124_000012_create_published::CHANGE),
            Box::new(m20261125_000013_add_notice_to_fact::CHANGE),
            Box::new(m20261125_000014_validate_notice_of_fact::CHANGE),
            Box::new(m20261125_000015_add_notices_to_account_settings::CHANGE),
            Box::new(m20261125_000016_add_overdue_to_lead::CHANGE),
            Box::new(m20261125_000017_add_overdue_to_account_head::CHANGE),
            Box::new(m20261125_000018_index_overdue_of_account_head::CHANGE),
            Box::new(m20261125_000019_begin_ageing::CHANGE),
        ]
    }
}

/// Brings the database at `url` (`sqlite:PATH` or `postgres://...`) up to date and returns the names of the changes it applied.
///
/// Any number of processes may call this at once: one applies, the others wait and find nothing to do. A SQLite file is
/// created when missing and put in WAL mode; its lock is the file `PATH.migrate.lock`, which stays behind, empty.
/// A Postgres URL must reach the server itself, not a pooler that hands out connections per transaction.
///
/// # Errors
///
/// [`Error`]; changes applied before the failing one stay applied, and calling again continues after them.
pub async fn migrate(url: &str) -> Result<Vec<String>, Error> {
    let lock = lock::acquire(url).await?;
    let db = connection::open(url).await?;
    let applied = apply(&db).await;
    // Closing matters on SQLite: the last connection folds the WAL back into the file.
    db.close().await?;
    lock.release().await;
    Ok(applied?)
}

/// The names of the changes this binary knows and the database has not; empty when the service may start.
///
/// Reads only, needs no right to create anything, and answers before the first migration too. Changes that only the
/// database knows, because a newer release was here, are no reason to refuse.
///
/// # Errors
///
/// `DbErr` when the database cannot be read.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let applied = applied(db).await?;
    let known = Migrator::migrations().into_iter().map(|change| change.name().to_owned());
    Ok(known.filter(|name| !applied.contains(name)).collect())
}

async fn applied(db: &DatabaseConnection) -> Result<HashSet<String>, DbErr> {
    if !SchemaManager::new(db).has_table(Migrator::migration_table_name().to_string()).await? {
        return Ok(HashSet::new());
    }
    let rows = seaql_migrations::Entity::find().all(db).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

async fn apply(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let missing = pending(db).await?;
    // The library's `up` refuses a database that a newer release has migrated, even with nothing to do.
    if !missing.is_empty() {
        Migrator::up(db, None).await?;
    }
    Ok(missing)
}
