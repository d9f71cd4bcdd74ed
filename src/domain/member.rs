//! Members: who can own leads.

use serde::{Deserialize, Serialize};

use super::ids::MemberId;
use super::time::Timestamp;

/// What a member may do with leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Owns and receives leads.
    Active,
    /// Owns leads and receives no more.
    Leaving,
    /// Receives no leads and is never a sender.
    Inactive,
}

impl Standing {
    /// The word that stands for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Leaving => "leaving",
            Self::Inactive => "inactive",
        }
    }

    /// The one a word of the database stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Leaving, Self::Inactive].into_iter().find(|standing| standing.as_str() == word)
    }
}

/// A member of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    #[serde(rename = "member_id")]
    pub id: MemberId,
    /// Name to show.
    pub display_name: String,
    /// One to four letters that stand for the name.
    pub initials: String,
    /// E-mail address; empty when unknown.
    pub email: String,
    /// Picture; empty when there is none.
    pub avatar_url: String,
    /// To whom the member reports.
    pub manager_id: Option<MemberId>,
    /// What the member may do.
    pub standing: Standing,
    /// How many open leads automatic picks may give the member.
    pub capacity: Option<i32>,
    /// The time at the source that this reflects.
    pub observed_at: Timestamp,
}

impl Member {
    /// Whether the same is known of both, whenever it was observed.
    pub fn says_the_same(&self, other: &Self) -> bool {
        Self { observed_at: other.observed_at, ..self.clone() } == *other
    }
}

/// The first letters of the first and the last word of a name, in upper case.
pub fn initials_of(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next();
    let last = words.next_back();
    [first, last].into_iter().flatten().filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
}

/// A name as it is sorted and searched: whatever the case.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Whether a folded name, or a word of it, starts with a folded prefix.
pub fn name_starts_with(folded_name: &str, folded_prefix: &str) -> bool {
    folded_name.starts_with(folded_prefix)
        || folded_name
            .match_indices(char::is_whitespace)
            .any(|(at, space)| folded_name[at + space.len()..].starts_with(folded_prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_those_of_the_first_and_last_word() {
        assert_eq!(initials_of("Rosalina Dieter"), "RD");
        assert_eq!(initials_of("Anna Maria  Snelling"), "AS");
        assert_eq!(initials_of("cher"), "C");
        assert_eq!(initials_of("  "), "");
    }

    #[test]
    fn a_prefix_matches_the_name_or_a_word_of_it() {
        let name = folded("Rosie Papadopoulos");
        assert!(name_starts_with(&name, &folded("ROS")));
        assert!(name_starts_with(&name, &folded("papa")));
        assert!(name_starts_with(&name, &folded("rosie p")));
        assert!(!name_starts_with(&name, "apa"));
    }
}
