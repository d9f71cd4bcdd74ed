//! One file per table that is read row by row. `in_account` is the only public way to start a query: no account can be forgotten.

pub(super) mod account_head;
pub(super) mod account_settings;
pub(super) mod fact;
pub(super) mod member;
pub(super) mod outbox;
pub(super) mod published;
pub(super) mod request;
pub(super) mod store_meta;

/// Gives an entity its one public finder.
macro_rules! in_account {
    () => {
        impl Entity {
            /// The rows of an account.
            pub(in crate::store) fn in_account(account: &crate::domain::ids::AccountId) -> Select<Entity> {
                Self::find().filter(Column::AccountId.eq(account.as_str()))
            }
        }
    };
}
use in_account;
