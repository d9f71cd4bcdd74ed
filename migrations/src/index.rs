use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// An index on a table that has rows, built by itself and without a transaction, while others write.
pub(crate) struct Index {
    /// The name of the change on record in the database.
    pub name: &'static str,
    /// The name of the index.
    pub index: &'static str,
    /// What follows `ON`.
    pub on: &'static str,
}

impl MigrationName for Index {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
#[expect(elided_lifetimes_in_paths, reason = "with the lifetime spelled out, the method no longer fits the trait")]
impl MigrationTrait for Index {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let Self { name: _, index, on } = self;
        let statements = match manager.get_database_backend() {
            DbBackend::Postgres => vec![
                // It waits for whoever looks at the database, a backup for hours, and nobody waits behind it.
                "SET lock_timeout = 0".to_owned(),
                // What an attempt that was cut off has left is invalid, and has the name.
                format!("DROP INDEX CONCURRENTLY IF EXISTS {index}"),
                format!("CREATE INDEX CONCURRENTLY {index} ON {on}"),
                "RESET lock_timeout".to_owned(),
            ],
            _ => vec![format!("CREATE INDEX IF NOT EXISTS {index} ON {on}")],
        };
        // One at a time: several together would be a transaction.
        for statement in statements {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
