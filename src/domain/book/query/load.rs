//! How many leads a member owns.

use super::selection::{LeadFilter, OwnerSelector};
use crate::domain::book::{Book, Load};
use crate::domain::ids::MemberId;

impl Book {
    /// How many leads a member owns.
    pub fn load(&self, owner: &MemberId) -> Load {
        let mut load = Load::default();
        let all = LeadFilter::default();
        for (key, group) in self.groups(&OwnerSelector::Member(owner.clone()), &all) {
            let count = i64::try_from(group.len()).unwrap_or(i64::MAX);
            *(if key.closed { &mut load.closed } else { &mut load.open }) += count;
        }
        load
    }
}
