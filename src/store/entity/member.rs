//! The members of each account as they are now.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) member_id: String,
    pub(in crate::store) display_name: String,
    pub(in crate::store) initials: String,
    pub(in crate::store) email: String,
    pub(in crate::store) avatar_url: String,
    pub(in crate::store) manager_id: Option<String>,
    pub(in crate::store) standing: String,
    pub(in crate::store) capacity: Option<i32>,
    pub(in crate::store) observed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::in_account!();
