//! The leads of each account as they are now.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lead")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) lead_id: String,
    pub(in crate::store) owner_id: Option<String>,
    pub(in crate::store) owner_since: i64,
    pub(in crate::store) revision: i64,
    pub(in crate::store) stage: String,
    pub(in crate::store) stage_entered_at: i64,
    pub(in crate::store) closed: bool,
    pub(in crate::store) created_at: i64,
    pub(in crate::store) source: String,
    pub(in crate::store) attributes: String,
    pub(in crate::store) observed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::in_account!();
