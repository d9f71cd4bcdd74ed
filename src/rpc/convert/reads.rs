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

/// What the board draws for a member.
pub(in crate::rpc) fn card(member: &Member) -> pb::MemberCard {
    pb::MemberCard {
        member_id: member.id.as_str().to_owned(),
        display_name: member.display_name.clone(),
        initials: member.initials.clone(),
        email: member.email.clone(),
        avatar_url: member.avatar_url.clone(),
        standing: pb::Standing::from(member.standing).into(),
    }
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
