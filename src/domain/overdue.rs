//! Leads that nobody has owned for too long: when that is so, and what others are told of it.

use serde::{Deserialize, Serialize};

use super::fact::{Commit, Fact};
use super::ids::{LeadId, Revision};
use super::time::Timestamp;

/// After how long without an owner a lead is overdue, where nobody says: a day, in microseconds.
const A_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// An account is looked at so often, at most, in the time after which its leads are overdue.
const LOOKS: i64 = 1_000;

/// After how long a lead that nobody owns is overdue, as the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// After so many microseconds.
    After(i64),
    /// It never is.
    Never,
}

impl Limit {
    /// In microseconds, if there is one, of what settings say.
    pub fn micros(limit: Option<Self>) -> Option<i64> {
        match limit {
            None => Some(A_DAY),
            Some(Self::After(micros)) => Some(micros),
            Some(Self::Never) => None,
        }
    }
}

/// When the leads of an account that nobody owns are overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// After so many microseconds without an owner.
    pub after: i64,
    /// Those that were so before are not told of.
    pub from: Timestamp,
}

impl Rule {
    /// The episodes that are told of begin after this time.
    pub fn counted_after(&self) -> Timestamp {
        self.from.minus_micros(self.after)
    }

    /// Whether an episode that began then is overdue.
    pub fn is_overdue(&self, since: Timestamp, at: Timestamp) -> bool {
        since <= at.minus_micros(self.after)
    }

    /// When to look for an episode that began then: a little later than it is overdue, so that one look finds several.
    pub fn look_at(&self, since: Timestamp) -> Timestamp {
        since.plus_micros(self.after + self.after / LOOKS)
    }
}

/// Whether a lead waits for an owner, and nobody was told yet that it has waited for too long. What is closed waits for nobody.
pub fn waits(owned: bool, closed: bool, told: bool) -> bool {
    !owned && !closed && !told
}

/// Others are told that nobody has owned a lead for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueLead {
    /// The revision that tells of it.
    pub revision: Revision,
    /// Its place within that revision.
    pub ordinal: i32,
    /// The lead.
    pub lead: LeadId,
    /// Since when nobody owns it.
    pub since: Timestamp,
    /// The revision of its ownership.
    pub ownership: Revision,
    /// When it is told.
    pub at: Timestamp,
}

/// The leads that a commit tells of.
pub fn overdue_of(commit: &Commit) -> impl Iterator<Item = OverdueLead> + '_ {
    (0..).zip(&commit.facts).filter_map(|(ordinal, fact)| {
        let Fact::UnassignedOverdue { lead, since, ownership, .. } = fact else { return None };
        Some(OverdueLead {
            revision: commit.revision,
            ordinal,
            lead: lead.clone(),
            since: *since,
            ownership: *ownership,
            at: commit.at,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_overdue_once_the_time_has_passed_and_looked_for_no_earlier() {
        let rule = Rule { after: 10_000, from: Timestamp(0) };
        let (since, due) = (Timestamp(7), Timestamp(10_007));
        assert!(!rule.is_overdue(since, Timestamp(due.0 - 1)));
        assert!(rule.is_overdue(since, due));
        assert!(rule.is_overdue(since, rule.look_at(since)));
        assert_eq!(rule.look_at(since), Timestamp(due.0 + 10));
    }

    #[test]
    fn what_was_overdue_before_it_was_counted_is_not_told_of() {
        let rule = Rule { after: 100, from: Timestamp(1_000) };
        assert_eq!(rule.counted_after(), Timestamp(900), "was overdue at 1,000, when nobody counted yet");
    }

    #[test]
    fn a_limit_is_a_day_unless_somebody_says_otherwise() {
        let limits = [None, Some(Limit::After(5)), Some(Limit::Never)].map(Limit::micros);
        assert_eq!(limits, [Some(86_400_000_000), Some(5), None]);
    }
}
