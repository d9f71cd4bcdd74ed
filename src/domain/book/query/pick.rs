//! The picker: members by name.

use crate::domain::book::{Book, NameKey};
use crate::domain::member::{Member, Standing, folded, name_starts_with};

impl Book {
    /// Up to `limit` members whose name, or a word of it, starts with `prefix` whatever the case, by name, after `after`; and
    /// where the next page goes on, if there is one. Only active ones, unless `all_standings`.
    pub fn pick(
        &self,
        prefix: &str,
        all_standings: bool,
        after: Option<&NameKey>,
        limit: usize,
    ) -> (Vec<&Member>, Option<&NameKey>) {
        let prefix = folded(prefix);
        let mut matches = self
            .roster
            .by_name(after)
            .filter(|(_, member)| all_standings || member.standing == Standing::Active)
            .filter(|((name, _), _)| name_starts_with(name, &prefix));
        let page: Vec<_> = matches.by_ref().take(limit).collect();
        let next = matches.next().and(page.last().map(|(key, _)| *key));
        (page.into_iter().map(|(_, member)| member).collect(), next)
    }
}
