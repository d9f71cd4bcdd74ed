//! Which leads a list or a count is about.

use ownership_proto::v1::{LeadFilter, Source};
use prost_types::{Duration, Timestamp};

use super::values;

/// A filter over leads. All conditions that are given must hold.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct FilterArgs {
    /// In this stage; may be repeated
    #[arg(long = "stage", value_name = "STAGE", help_heading = "Filter")]
    stages: Vec<String>,
    /// Open ones only
    #[arg(long, conflicts_with = "closed", help_heading = "Filter")]
    open: bool,
    /// Closed ones only
    #[arg(long, help_heading = "Filter")]
    closed: bool,
    /// Created at this time or later
    #[arg(long, value_name = "TIME", value_parser = values::parse_time, help_heading = "Filter")]
    created_after: Option<Timestamp>,
    /// Created before this time
    #[arg(long, value_name = "TIME", value_parser = values::parse_time, help_heading = "Filter")]
    created_before: Option<Timestamp>,
    /// Owned by the present owner, or by nobody, since this time or later
    #[arg(long, value_name = "TIME", value_parser = values::parse_time, help_heading = "Filter")]
    assigned_after: Option<Timestamp>,
    /// Owned by the present owner, or by nobody, since before this time
    #[arg(long, value_name = "TIME", value_parser = values::parse_time, help_heading = "Filter")]
    assigned_before: Option<Timestamp>,
    /// In the present stage for at least this long, as 7d or 12h
    #[arg(long, value_name = "DURATION", value_parser = values::parse_span, help_heading = "Filter")]
    in_stage_longer_than: Option<Duration>,
    /// Created through this door; may be repeated
    #[arg(long = "source", value_name = "DOOR", value_enum, help_heading = "Filter")]
    sources: Vec<Door>,
}

/// Where a lead can come from.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A person in the user interface.
    Ui,
    /// A program.
    Api,
    /// An import.
    Import,
    /// A form.
    Form,
    /// An automation rule.
    Automation,
    /// The service itself or its operator.
    System,
}

impl From<Door> for Source {
    fn from(door: Door) -> Self {
        match door {
            Door::Ui => Self::Ui,
            Door::Api => Self::Api,
            Door::Import => Self::Import,
            Door::Form => Self::Form,
            Door::Automation => Self::Automation,
            Door::System => Self::System,
        }
    }
}

impl FilterArgs {
    /// The filter of the contract. Absent when nothing was asked for.
    pub(super) fn filter(&self) -> Option<LeadFilter> {
        let either = self.open || self.closed;
        let filter = LeadFilter {
            stages: self.stages.clone(),
            closed: either.then_some(self.closed),
            created: values::range(self.created_after, self.created_before),
            assigned: values::range(self.assigned_after, self.assigned_before),
            stage_entered: None,
            min_time_in_stage: self.in_stage_longer_than,
            sources: self.sources.iter().map(|&door| Source::from(door).into()).collect(),
        };
        (filter != LeadFilter::default()).then_some(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_condition_is_no_filter() {
        assert_eq!(FilterArgs::default().filter(), None);
    }

    #[test]
    fn open_and_closed_are_the_two_sides_of_one_condition() {
        let open = FilterArgs { open: true, ..FilterArgs::default() };
        let closed = FilterArgs { closed: true, ..FilterArgs::default() };
        assert_eq!(open.filter().unwrap().closed, Some(false));
        assert_eq!(closed.filter().unwrap().closed, Some(true));
    }
}
