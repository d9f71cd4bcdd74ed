//! Which leads.

use ownership_proto::v1 as pb;

use super::Invalid;
use super::time::{duration_micros, range};
use super::writes::sources;
use crate::domain::book::query::LeadFilter;

/// Which leads, and how long they must have been in their stage at least, in microseconds.
pub(super) fn lead_filter(filter: Option<pb::LeadFilter>) -> Result<(LeadFilter, Option<i64>), Invalid> {
    let pb::LeadFilter { stages, closed, created, assigned, stage_entered, min_time_in_stage, sources: doors } =
        filter.unwrap_or_default();
    let filter = LeadFilter {
        stages,
        closed,
        created: range(created),
        assigned: range(assigned),
        stage_entered: range(stage_entered),
        sources: sources(doors, "filter.sources")?,
    };
    Ok((filter, min_time_in_stage.map(duration_micros)))
}
