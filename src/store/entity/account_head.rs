//! Where each account stands. The row every write locks first.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_head")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) account_id: String,
    pub(in crate::store) revision: i64,
    pub(in crate::store) changed_at: i64,
    pub(in crate::store) facts_floor: i64,
    pub(in crate::store) history_floor: i64,
    pub(in crate::store) overdue_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::in_account!();
