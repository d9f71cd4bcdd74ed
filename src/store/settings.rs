//! Settings as they are now.

use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, Set};

use super::entity::account_settings::{ActiveModel, Column, Entity};
use super::{Error, Readable, Tx};
use crate::domain::ids::{AccountId, Revision};
use crate::domain::settings::{DefaultSender, Settings};

/// Writes the settings of an account.
pub async fn put(tx: &Tx, account: &AccountId, settings: &Settings, revision: Revision) -> Result<(), Error> {
    let Settings { default_sender } = settings;
    let row = ActiveModel {
        account_id: Set(account.as_str().to_owned()),
        default_sender_name: Set(default_sender.as_ref().map(|sender| sender.name.clone())),
        default_sender_email: Set(default_sender.as_ref().map(|sender| sender.email.clone())),
        revision: Set(revision.0),
    };
    let replace = OnConflict::column(Column::AccountId)
        .update_columns([Column::DefaultSenderName, Column::DefaultSenderEmail, Column::Revision])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// The settings of an account and the revision that last changed them, if any ever did.
pub async fn read(at: &impl Readable, account: &AccountId) -> Result<Option<(Settings, Revision)>, Error> {
    let row = Entity::in_account(account).one(at.connection()).await?;
    Ok(row.map(|row| {
        let sender = row.default_sender_name.zip(row.default_sender_email);
        let default_sender = sender.map(|(name, email)| DefaultSender { name, email });
        (Settings { default_sender }, Revision(row.revision))
    }))
}
