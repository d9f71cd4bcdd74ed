//! The settings of each account.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_settings")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) account_id: String,
    pub(in crate::store) default_sender_name: Option<String>,
    pub(in crate::store) default_sender_email: Option<String>,
    pub(in crate::store) revision: i64,
    pub(in crate::store) notices_revision: i64,
    pub(in crate::store) notify_new_owner: bool,
    pub(in crate::store) overdue_after: Option<i64>,
    pub(in crate::store) overdue_from: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::in_account!();
