//! The members of a book, by id and by name.

use std::collections::{BTreeMap, BTreeSet};

use super::memory::{allocated, shared};
use crate::domain::ids::MemberId;
use crate::domain::member::{Member, folded};

/// Where a member stands in the picker: by name whatever the case, then by id.
pub type NameKey = (String, MemberId);

/// The members.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    members: BTreeMap<MemberId, Member>,
    by_name: BTreeSet<NameKey>,
    bytes: usize,
}

impl Roster {
    pub(super) fn get(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(super) fn put(&mut self, member: Member) {
        let key = (folded(&member.display_name), member.id.clone());
        self.bytes += bytes(&member);
        if let Some(before) = self.members.insert(member.id.clone(), member) {
            self.bytes -= bytes(&before);
            self.by_name.remove(&(folded(&before.display_name), before.id));
        }
        self.by_name.insert(key);
    }

    /// The members by name, from the first that comes after `after`.
    pub(super) fn by_name(&self, after: Option<&NameKey>) -> impl Iterator<Item = (&NameKey, &Member)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.by_name
            .range::<NameKey, _>((from, Unbounded))
            .filter_map(|key| self.members.get(&key.1).map(|member| (key, member)))
    }

    /// Bytes of memory the members take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a member takes: two entries of maps that are two thirds full, the name twice, and small pieces of memory that are rounded up.
fn bytes(member: &Member) -> usize {
    let entries = (size_of::<(MemberId, Member)>() + size_of::<NameKey>()) * 3 / 2;
    let Member { id, display_name, initials, email, avatar_url, manager_id, .. } = member;
    let manager = manager_id.as_ref().map_or(0, |manager| shared(manager.as_str()));
    let texts = [display_name.len(), display_name.len(), initials.len(), email.len(), avatar_url.len()];
    entries + shared(id.as_str()) + manager + texts.map(allocated).iter().sum::<usize>()
}
