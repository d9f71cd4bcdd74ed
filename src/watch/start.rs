//! Where a watch begins.

use crate::context::{Context, Moment};
use crate::domain::ids::Revision;
use crate::domain::time::Timestamp;
use crate::history::{Position, position};
use crate::ledger::{Error, Ledger};

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first change after a revision.
    After(Revision),
    /// With the first change at or after a time.
    Since(Timestamp),
    /// With the oldest change that is kept.
    Earliest,
    /// With the next change.
    Now,
}

/// The revision a watch begins after, where the account stands, and where its history begins, all of one moment.
pub(super) async fn locate(
    ledger: &Ledger,
    context: &Context,
    start: Start,
    history: Option<&str>,
) -> Result<(Revision, Revision, Revision), Error> {
    let snapshot = ledger.log().snapshot("watch_start").await?;
    let position = |moment| position(&snapshot, &context.account, moment);
    let Position { revision, head, floor } = match start {
        Start::After(revision) if history.is_some_and(|history| history != ledger.history_id()) => {
            // What is told about the present history is told by asking for a place that it always has.
            let Position { head, floor, .. } = position(None).await?;
            tracing::debug!(%revision, "a watch of another history");
            return Err(Error::HistoryMismatch { history: ledger.history_id().to_owned(), floor, head });
        }
        Start::After(revision) => position(Some(Moment::Revision(revision))).await?,
        Start::Since(time) => position(Some(Moment::Time(Timestamp(time.0.saturating_sub(1))))).await?,
        Start::Earliest => {
            let Position { head, floor, .. } = position(None).await?;
            Position { revision: floor, head, floor }
        }
        Start::Now => position(None).await?,
    };
    ledger.shows(context, head).await?;
    Ok((revision, head, floor))
}
