use ring::rand::{SecureRandom, SystemRandom};
use sea_orm_migration::prelude::*;
use uuid::Builder;

/// Gives the store its identity. Both values are drawn here, once, from the system's randomness, and never leave the database:
/// `history_id` names this history, so that tokens from before a restore are recognised; `token_key` authenticates tokens.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_000002_seed_store_meta"
    }
}

#[async_trait::async_trait]
#[expect(elided_lifetimes_in_paths, reason = "with the lifetime spelled out, the method no longer fits the trait")]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let history_id = Builder::from_random_bytes(random()?).into_uuid().to_string();
        let token_key = hex(&random::<32>()?);
        let mut insert = Query::insert();
        insert.into_table("store_meta").columns(["key", "value"]);
        for (key, value) in [("history_id", history_id), ("token_key", token_key)] {
            insert.values([key.into(), value.into()]).map_err(|error| DbErr::Migration(error.to_string()))?;
        }
        manager.execute(insert).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn random<const N: usize>() -> Result<[u8; N], DbErr> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| DbErr::Migration("the system gives no random bytes".to_owned()))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
