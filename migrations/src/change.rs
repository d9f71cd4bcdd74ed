use sea_orm_migration::prelude::*;

use crate::dialect::Dialect;

/// A change that is plain SQL, applied whole or not at all on both databases.
pub(crate) struct Change {
    /// The name on record in the database; stays when the file moves.
    pub name: &'static str,
    /// Its statements, separated by semicolons.
    pub sql: fn(&Dialect) -> String,
}

impl MigrationName for Change {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
#[expect(elided_lifetimes_in_paths, reason = "with the lifetime spelled out, the method no longer fits the trait")]
impl MigrationTrait for Change {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = (self.sql)(Dialect::of(manager.get_database_backend()));
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    // On SQLite the library would apply the statements one by one.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
