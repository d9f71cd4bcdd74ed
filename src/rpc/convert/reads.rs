//! What reads of all kinds share: how fresh, as of when, and whose card.

use ownership_proto::v1 as pb;
use pb::as_of::At;
use pb::consistency::Level;

use super::Invalid;
use super::time::timestamp;
use crate::context::{Freshness, Moment};
use crate::domain::ids::Revision;
use crate::domain::member::{Member, Standing};

/// How fresh a read must be.
pub(super) fn freshness(consistency: Option<pb::Consistency>) -> Freshness {
    let pb::Consistency { level } = consistency.unwrap_or_default();
    match level {
        None => Freshness::Strict,
        Some(Level::AtLeastRevision(revision)) => Freshness::AtLeast(Revision(revision)),
        Some(Level::MinimizeLatency(())) => Freshness::Any,
    }
}

/// As of when; now, if absent.
pub(super) fn moment(as_of: Option<pb::AsOf>) -> Result<Option<Moment>, Invalid> {
    let Some(pb::AsOf { at }) = as_of else { return Ok(None) };
    Ok(Some(match at.ok_or_else(|| Invalid::not_set("as_of.at"))? {
        At::Revision(revision) => Moment::Revision(Revision(revision)),
        At::Time(time) => Moment::Time(timestamp(time)),
    }))
}

/// What the board draws for some members.
pub(super) fn cards(members: Vec<Member>) -> Vec<pb::MemberCard> {
    members.into_iter().map(card).collect()
}

/// What the board draws for a member.
pub(super) fn card(member: Member) -> pb::MemberCard {
    let Member { id, display_name, initials, email, avatar_url, manager_id: _, standing, capacity: _, observed_at: _ } =
        member;
    let standing = pb::Standing::from(standing).into();
    pb::MemberCard { member_id: id.into(), display_name, initials, email, avatar_url, standing }
}

impl From<Standing> for pb::Standing {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Active => Self::Active,
            Standing::Leaving => Self::Leaving,
            Standing::Inactive => Self::Inactive,
        }
    }
}
