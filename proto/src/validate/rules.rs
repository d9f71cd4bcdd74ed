//! What each rule means and how it is put into words.

mod text;
mod time;

use std::fmt;

use super::{Place, Report};

pub(super) use text::{Pattern, StringRule};
pub(super) use time::{DurationRule, ValidTimestamp};

/// A rule for a value. Its text tells what the value must be.
pub(super) trait Rule: fmt::Display {
    /// What the rule is about.
    type Value: ?Sized;

    /// Whether the value keeps the rule.
    fn holds(&self, value: &Self::Value) -> bool;
}

/// Reports each rule that the value at `place` breaks.
pub(super) fn check<R: Rule>(rules: &[R], value: &R::Value, place: &Place<'_>, report: &mut Report) {
    for rule in rules.iter().filter(|rule| !rule.holds(value)) {
        report.add(place, rule);
    }
}

/// A rule for whole numbers.
#[allow(dead_code, reason = "the contract is free not to use one of them")]
pub(super) enum IntRule<N> {
    /// At least this.
    Gte(N),
    /// At most this.
    Lte(N),
}

impl<N: Ord + fmt::Display> Rule for IntRule<N> {
    type Value = N;

    fn holds(&self, value: &N) -> bool {
        match self {
            Self::Gte(min) => value >= min,
            Self::Lte(max) => value <= max,
        }
    }
}

impl<N: fmt::Display> fmt::Display for IntRule<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gte(min) => write!(f, "must be at least {min}"),
            Self::Lte(max) => write!(f, "must be at most {max}"),
        }
    }
}

/// One of these values of an enum, by number and name.
pub(super) struct EnumRule(pub(super) &'static [(i32, &'static str)]);

impl Rule for EnumRule {
    type Value = i32;

    fn holds(&self, value: &i32) -> bool {
        self.0.iter().any(|(number, _)| number == value)
    }
}

impl fmt::Display for EnumRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (_, name)) in self.0.iter().enumerate() {
            f.write_str(if position == 0 { "must be one of " } else { ", " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// A rule for the length of a list or the number of entries of a map.
pub(super) enum CountRule {
    /// At least this many.
    Min(usize),
    /// At most this many.
    Max(usize),
}

impl Rule for CountRule {
    type Value = usize;

    fn holds(&self, value: &usize) -> bool {
        match self {
            Self::Min(min) => value >= min,
            Self::Max(max) => value <= max,
        }
    }
}

impl fmt::Display for CountRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min(1) => f.write_str("must not be empty"),
            Self::Min(min) => write!(f, "must have at least {min} entries"),
            Self::Max(max) => write!(f, "must have at most {max} entries"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CountRule, IntRule, Rule};

    #[test]
    fn an_upper_limit_is_the_last_number_that_holds() {
        let rule = IntRule::Lte(5);
        assert!(rule.holds(&5) && !rule.holds(&6));
        assert_eq!(rule.to_string(), "must be at most 5");
    }

    #[test]
    fn a_least_count_above_one_is_put_into_words() {
        let rule = CountRule::Min(2);
        assert!(rule.holds(&2) && !rule.holds(&1));
        assert_eq!(rule.to_string(), "must have at least 2 entries");
    }
}
