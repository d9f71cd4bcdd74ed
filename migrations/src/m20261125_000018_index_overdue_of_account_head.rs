use sea_orm_migration::prelude::*;

use crate::dialect::Dialect;

/// Finds the accounts that are to be looked at. By itself and without a transaction, for accounts are written to meanwhile.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000018_index_overdue_of_account_head"
    }
}

#[async_trait::async_trait]
#[expect(elided_lifetimes_in_paths, reason = "with the lifetime spelled out, the method no longer fits the trait")]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let concurrently = Dialect::of(manager.get_database_backend()).pick("", "CONCURRENTLY");
        let sql = format!(
            "CREATE INDEX {concurrently} IF NOT EXISTS account_head_by_overdue ON account_head (overdue_at) \
             WHERE overdue_at IS NOT NULL"
        );
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
