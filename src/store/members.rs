//! Members as they are now.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, Set};

use super::entity::member::{ActiveModel, Column, Entity, Model};
use super::{Error, Readable, Tx, dialect};
use crate::domain::ids::{AccountId, MemberId};
use crate::domain::member::{Member, Standing};
use crate::domain::time::Timestamp;

/// Parameters of one row.
const COLUMNS: usize = 10;

/// Writes members as they are now.
#[tracing::instrument(level = "debug", skip_all, fields(members = members.len()))]
pub async fn put(tx: &Tx, account: &AccountId, members: &[Member]) -> Result<(), Error> {
    let replace = OnConflict::columns([Column::AccountId, Column::MemberId])
        .update_columns([
            Column::DisplayName,
            Column::Initials,
            Column::Email,
            Column::AvatarUrl,
            Column::ManagerId,
            Column::Standing,
            Column::Capacity,
            Column::ObservedAt,
        ])
        .to_owned();
    let chunk = dialect::max_parameters(tx.inner.get_database_backend()) / COLUMNS;
    for members in members.chunks(chunk) {
        let rows = members.iter().map(|member| row_of(account, member));
        Entity::insert_many(rows).on_conflict(replace.clone()).exec_without_returning(&tx.inner).await?;
    }
    Ok(())
}

/// All members of an account.
pub async fn all(at: &impl Readable, account: &AccountId) -> Result<Vec<Member>, Error> {
    let rows = Entity::in_account(account).all(at.connection()).await?;
    rows.into_iter().map(member_of).collect()
}

fn row_of(account: &AccountId, member: &Member) -> ActiveModel {
    ActiveModel {
        account_id: Set(account.as_str().to_owned()),
        member_id: Set(member.id.as_str().to_owned()),
        display_name: Set(member.display_name.clone()),
        initials: Set(member.initials.clone()),
        email: Set(member.email.clone()),
        avatar_url: Set(member.avatar_url.clone()),
        manager_id: Set(member.manager_id.as_ref().map(|id| id.as_str().to_owned())),
        standing: Set(member.standing.as_str().to_owned()),
        capacity: Set(member.capacity),
        observed_at: Set(member.observed_at.0),
    }
}

fn member_of(row: Model) -> Result<Member, Error> {
    let unreadable = |what: &str| Error::Unreadable {
        table: "member",
        what: format!("{what} at {}/{}", row.account_id, row.member_id),
    };
    let manager_id = row.manager_id.as_deref().map(MemberId::parse).transpose();
    Ok(Member {
        id: MemberId::parse(&row.member_id).map_err(|_| unreadable("member_id"))?,
        manager_id: manager_id.map_err(|_| unreadable("manager_id"))?,
        standing: Standing::from_word(&row.standing).ok_or_else(|| unreadable("standing"))?,
        display_name: row.display_name,
        initials: row.initials,
        email: row.email,
        avatar_url: row.avatar_url,
        capacity: row.capacity,
        observed_at: Timestamp(row.observed_at),
    })
}
