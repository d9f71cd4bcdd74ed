//! Request ids that were used, with the answers they got.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "request")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) caller_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) request_id: String,
    pub(in crate::store) method: String,
    pub(in crate::store) fingerprint: Vec<u8>,
    pub(in crate::store) revision: i64,
    pub(in crate::store) answer: String,
    pub(in crate::store) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
