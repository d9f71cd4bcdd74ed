//! From messages to the words of the domain, and back. One file per capability.
//!
//! A message is taken apart whole, every field named, so that a new field breaks the build where it has to be decided about.
//! Requests arrive here after [`ownership_proto::Validate`] found nothing wrong with them; what is refused here is either beyond
//! its rules, such as a duplicate, or was let through by mistake.

pub(super) mod accounts;
pub(super) mod assignments;
pub(super) mod changes;
pub(super) mod events;
pub(super) mod filter;
pub(super) mod leads;
pub(super) mod members;
pub(super) mod ownership;
pub(super) mod pages;
pub(super) mod reads;
pub(super) mod senders;
pub(super) mod time;
pub(super) mod watch;
pub(super) mod writes;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use ownership_proto::Violation;

use crate::domain::ids::InvalidId;

/// Why a request is refused before anything is asked or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Invalid {
    /// Fields break the rules of the contract; at least one.
    Fields(Vec<Violation>),
    /// The same lead or member stands twice in a list.
    Duplicate {
        /// The lead or member.
        id: String,
        /// Its first position, from 0.
        first: usize,
        /// Its second.
        second: usize,
        /// The paths of both.
        fields: [String; 2],
    },
}

impl Invalid {
    /// One field that breaks a rule.
    pub(super) fn field(path: impl fmt::Display, description: impl Into<String>) -> Self {
        Self::Fields(vec![Violation { field: path.to_string(), description: description.into() }])
    }

    fn not_set(path: impl fmt::Display) -> Self {
        Self::field(path, "must be set")
    }

    fn not_known(path: impl fmt::Display) -> Self {
        Self::field(path, "must be a value of the enum, and specified")
    }
}

/// The id that stands at `path`.
fn id<T: TryFrom<String, Error = InvalidId>>(text: String, path: fmt::Arguments<'_>) -> Result<T, Invalid> {
    T::try_from(text).map_err(|why| Invalid::field(path, why.to_string()))
}

/// The id that may stand at `path`.
fn optional_id<T: TryFrom<String, Error = InvalidId>>(
    text: Option<String>,
    path: fmt::Arguments<'_>,
) -> Result<Option<T>, Invalid> {
    text.map(|text| id(text, path)).transpose()
}

/// The ids of the list called `list`.
fn ids<T, C>(texts: Vec<String>, list: &'static str) -> Result<C, Invalid>
where
    T: TryFrom<String, Error = InvalidId>,
    C: FromIterator<T>,
{
    let numbered = texts.into_iter().enumerate();
    numbered.map(|(index, text)| id(text, format_args!("{list}[{index}]"))).collect()
}

/// The ids of the list called `list`, each of which may stand there once.
fn distinct_ids<T, C>(texts: Vec<String>, list: &'static str) -> Result<C, Invalid>
where
    T: TryFrom<String, Error = InvalidId>,
    C: FromIterator<T>,
{
    distinct(texts.iter().map(String::as_str), |index| format!("{list}[{index}]"))?;
    ids(texts, list)
}

/// Refuses an id that stands twice. `path` tells where an index points to.
fn distinct<'a>(ids: impl Iterator<Item = &'a str>, path: impl Fn(usize) -> String) -> Result<(), Invalid> {
    let mut seen = HashMap::new();
    for (second, id) in ids.enumerate() {
        match seen.entry(id) {
            Entry::Vacant(place) => {
                place.insert(second);
            }
            Entry::Occupied(place) => {
                let first = *place.get();
                return Err(Invalid::Duplicate {
                    id: id.to_owned(),
                    first,
                    second,
                    fields: [path(first), path(second)],
                });
            }
        }
    }
    Ok(())
}

/// A count as the contract writes it.
pub(super) fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::LeadId;

    fn texts(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_bad_id_is_refused_under_its_path() {
        let refused = ids::<LeadId, Vec<_>>(texts(&["a", "b c"]), "lead_ids").unwrap_err();
        let Invalid::Fields(violations) = refused else { panic!("{refused:?}") };
        assert_eq!(violations[0].field, "lead_ids[1]");
    }

    #[test]
    fn a_duplicate_is_refused_with_both_positions() {
        let refused = distinct_ids::<LeadId, Vec<_>>(texts(&["a", "b", "c", "b"]), "lead_ids").unwrap_err();
        assert_eq!(
            refused,
            Invalid::Duplicate {
                id: "b".into(),
                first: 1,
                second: 3,
                fields: ["lead_ids[1]".into(), "lead_ids[3]".into()],
            }
        );
    }
}
