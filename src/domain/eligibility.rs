//! Who may receive leads: the one predicate that single, bulk, import and every later way of assigning ask.

use super::ids::MemberId;
use super::member::{Member, Standing};
use super::outcome::Refusal;

/// Refuses a member who may not receive leads. A member of another account is as unknown as one of none.
pub fn may_receive(id: &MemberId, member: Option<&Member>) -> Result<(), Refusal> {
    match member.map(|member| member.standing) {
        None => Err(Refusal::OwnerUnknown { owner: id.clone() }),
        Some(Standing::Inactive) => Err(Refusal::OwnerInactive { owner: id.clone() }),
        Some(Standing::Leaving) => Err(Refusal::OwnerLeaving { owner: id.clone() }),
        Some(Standing::Active) => Ok(()),
    }
}
