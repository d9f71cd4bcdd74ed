//! The rules that the contract states beside its fields, as a function of every message.
//!
//! What a message checks is generated from the `buf.validate` options; what a rule means is in [`rules`].

mod place;
mod rules;

use std::fmt;

use place::Place;

/// How many violations of one message are reported at most.
pub const MAX_VIOLATIONS: usize = 1_000;

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a path of field names as in the contract, such as `items[3].lead_id` or `attributes["Bad Key"]`.
    pub field: String,
    /// What the field must be, in words that follow its name: `must be set`.
    pub description: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.description)
    }
}

/// A message of the contract, which knows its rules. Implemented by all of them, and by nothing else.
pub trait Validate {
    /// Every rule that the message and the messages within it break, in the order of the fields, but no more than
    /// [`MAX_VIOLATIONS`]. Empty: the message is as the contract wants it.
    fn violations(&self) -> Vec<Violation> {
        let mut report = Report::default();
        self.check(&Place::Message, &mut report);
        report.violations
    }

    /// Adds the violations of the message, which stands at `place`, to `report`.
    #[doc(hidden)]
    fn check(&self, place: &Place<'_>, report: &mut Report);
}

/// The violations found so far.
#[derive(Debug, Default)]
pub struct Report {
    violations: Vec<Violation>,
}

impl Report {
    fn add(&mut self, place: &Place<'_>, description: impl fmt::Display) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations
                .push(Violation { field: place.to_string(), description: format!("{}{description}", place.subject()) });
        }
    }
}

/// One `impl Validate` for each message of the contract.
mod messages {
    use super::rules::{CountRule, DurationRule, EnumRule, IntRule, Pattern, StringRule, ValidTimestamp, check};
    use super::{Place, Report, Validate};
    use crate::v1;
    use prost_types::Duration;

    const MUST_BE_SET: &str = "must be set";

    include!(concat!(env!("OUT_DIR"), "/validate.rs"));
}
