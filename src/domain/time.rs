//! Moments and spans of time.

use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01 UTC, the resolution both databases keep exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `micros` earlier.
    #[must_use]
    pub fn minus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_sub(micros))
    }

    /// The moment `micros` later.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// A span of time: from `start`, up to but without `end`; an absent bound is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TimeRange {
    /// First moment inside.
    pub start: Option<Timestamp>,
    /// First moment no longer inside.
    pub end: Option<Timestamp>,
}

impl TimeRange {
    /// Whether `at` lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }

    /// Whether every moment lies inside.
    pub fn is_open(&self) -> bool {
        self.start.is_none() && self.end.is_none()
    }

    /// The moments inside both spans.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: match (self.end, other.end) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_holds_its_start_and_not_its_end() {
        let span = TimeRange { start: Some(Timestamp(1)), end: Some(Timestamp(3)) };
        assert_eq!([0, 1, 2, 3].map(|at| span.contains(Timestamp(at))), [false, true, true, false]);
    }

    #[test]
    fn an_open_bound_gives_way_to_a_closed_one() {
        let span = TimeRange { start: None, end: Some(Timestamp(3)) };
        let other = TimeRange { start: Some(Timestamp(2)), end: None };
        assert_eq!(span.and(other), TimeRange { start: Some(Timestamp(2)), end: Some(Timestamp(3)) });
    }
}
