//! The log: every change of every account.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "fact")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) revision: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) ordinal: i32,
    pub(in crate::store) kind: String,
    pub(in crate::store) lead_id: Option<String>,
    pub(in crate::store) previous_owner_id: Option<String>,
    pub(in crate::store) owner_id: Option<String>,
    pub(in crate::store) occurred_at: i64,
    pub(in crate::store) caller_id: String,
    pub(in crate::store) actor_member_id: Option<String>,
    pub(in crate::store) source: String,
    pub(in crate::store) reason: String,
    pub(in crate::store) batch_id: Option<String>,
    pub(in crate::store) request_id: Option<String>,
    pub(in crate::store) payload: Option<String>,
    pub(in crate::store) notice: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::in_account!();
