//! Facts about the database as a whole.

use sea_orm::EntityTrait;

use super::entity::store_meta;
use super::{Error, Readable};
use crate::domain::time::Timestamp;

/// Facts about the database as a whole.
#[derive(Clone)]
pub struct Meta {
    /// The history its revisions belong to; another one after a restore.
    pub history_id: String,
    /// The key that its replicas authenticate page tokens with.
    pub token_key: [u8; 32],
    /// Since when others are told of leads that nobody has owned for too long.
    pub ageing_from: Timestamp,
}

/// Reads them.
pub async fn read(at: &impl Readable) -> Result<Meta, Error> {
    let rows = store_meta::Entity::find().all(at.connection()).await?;
    let value = |key: &str| {
        let missing = || Error::Unreadable { table: "store_meta", what: format!("no usable {key}") };
        rows.iter().find(|row| row.key == key).map(|row| row.value.clone()).ok_or_else(missing)
    };
    let token_key = value("token_key")?;
    let token_key = from_hex(&token_key).ok_or_else(|| Error::Unreadable {
        table: "store_meta",
        what: "a token_key that is not 64 hex digits".into(),
    })?;
    let ageing_from = value("ageing_from")?
        .parse()
        .map(Timestamp)
        .map_err(|_| Error::Unreadable { table: "store_meta", what: "an ageing_from that is not a number".into() })?;
    Ok(Meta { history_id: value("history_id")?, token_key, ageing_from })
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..32).map(byte).collect::<Option<_>>()?;
    if text.len() == 64 { bytes.try_into().ok() } else { None }
}
