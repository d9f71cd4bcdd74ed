//! Settings as they are now.

use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, Iterable, Set};

use super::entity::account_settings::{ActiveModel, Column, Entity, Model};
use super::{Error, Readable, Tx};
use crate::domain::ids::{AccountId, Revision};
use crate::domain::overdue::Limit;
use crate::domain::settings::{DefaultSender, Settings};
use crate::domain::time::Timestamp;

/// What stands for a lead that is never overdue, where otherwise the time stands after which it is.
const NEVER: i64 = 0;

/// Writes the settings of an account.
pub async fn put(tx: &Tx, account: &AccountId, settings: &Settings, revision: Revision) -> Result<(), Error> {
    let Settings { default_sender, notify_new_owner, overdue, overdue_from } = settings;
    let row = ActiveModel {
        account_id: Set(account.as_str().to_owned()),
        default_sender_name: Set(default_sender.as_ref().map(|sender| sender.name.clone())),
        default_sender_email: Set(default_sender.as_ref().map(|sender| sender.email.clone())),
        revision: Set(revision.0),
        notices_revision: Set(revision.0),
        notify_new_owner: Set(*notify_new_owner),
        overdue_after: Set(overdue.map(|limit| Limit::micros(Some(limit)).unwrap_or(NEVER))),
        overdue_from: Set(overdue_from.map(|from| from.0)),
    };
    let replace = OnConflict::column(Column::AccountId).update_columns(Column::iter().skip(1)).to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// The settings of an account and the revision that last changed them, if any ever did.
pub async fn read(at: &impl Readable, account: &AccountId) -> Result<Option<(Settings, Revision)>, Error> {
    let row = Entity::in_account(account).one(at.connection()).await?;
    Ok(row.map(|row| (settings_of(&row), Revision(row.revision))))
}

/// What the release before does not know, it leaves in the row when it replaces the settings: as the log has it, they are not set
/// then.
fn settings_of(row: &Model) -> Settings {
    let sender = row.default_sender_name.clone().zip(row.default_sender_email.clone());
    let default_sender = sender.map(|(name, email)| DefaultSender { name, email });
    let known = Settings { default_sender, ..Settings::default() };
    if row.notices_revision < row.revision {
        return known;
    }
    let limit = |micros| if micros == NEVER { Limit::Never } else { Limit::After(micros) };
    Settings {
        notify_new_owner: row.notify_new_owner,
        overdue: row.overdue_after.map(limit),
        overdue_from: row.overdue_from.map(Timestamp),
        ..known
    }
}
