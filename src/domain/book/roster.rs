//! The members of a book, by id and by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::MemberId;
use crate::domain::member::{Member, folded};

/// Where a member stands in the picker: by name whatever the case, then by id.
pub type NameKey = (String, MemberId);

/// The members.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<MemberId, Member>,
    by_name: BTreeSet<NameKey>,
}

impl Roster {
    pub(super) fn get(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(super) fn put(&mut self, member: Member) {
        let key = (folded(&member.display_name), member.id.clone());
        if let Some(before) = self.members.insert(member.id.clone(), member) {
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

    /// Bytes of memory the members take, roughly: each is a handful of short strings.
    pub(super) fn bytes(&self) -> usize {
        let texts = |member: &Member| member.display_name.len() * 2 + member.email.len() + member.avatar_url.len();
        self.members.values().map(|member| 512 + texts(member)).sum()
    }
}
