//! Members as they are now.

use sea_orm::Value;

use super::entity::member::{Entity, Model};
use super::table::{Kind, Table, optional};
use super::{Error, Readable};
use crate::domain::ids::{AccountId, MemberId};
use crate::domain::member::{Member, Standing};
use crate::domain::time::Timestamp;

/// Members as they are written.
pub(super) const TABLE: Table = Table {
    name: "member",
    key: 2,
    columns: &[
        ("account_id", Kind::Text),
        ("member_id", Kind::Text),
        ("display_name", Kind::Text),
        ("initials", Kind::Text),
        ("email", Kind::Text),
        ("avatar_url", Kind::Text),
        ("manager_id", Kind::OptionalText),
        ("standing", Kind::Text),
        ("capacity", Kind::OptionalInteger),
        ("observed_at", Kind::BigInteger),
    ],
};

/// A member as a row.
pub(super) fn row_of(account: &AccountId, member: &Member) -> [Value; 10] {
    [
        account.as_str().into(),
        member.id.as_str().into(),
        member.display_name.as_str().into(),
        member.initials.as_str().into(),
        member.email.as_str().into(),
        member.avatar_url.as_str().into(),
        optional(member.manager_id.as_ref().map(MemberId::as_str)),
        member.standing.as_str().into(),
        member.capacity.unwrap_or(-1).into(),
        member.observed_at.0.into(),
    ]
}

/// All members of an account.
pub async fn all(at: &impl Readable, account: &AccountId) -> Result<Vec<Member>, Error> {
    let rows = Entity::in_account(account).all(at.connection()).await?;
    rows.into_iter().map(member_of).collect()
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
