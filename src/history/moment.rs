//! Where in an account's history a moment lies.

use crate::context::Moment;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;
use crate::ledger::Error;
use crate::store::heads::Head;
use crate::store::{self, Readable};

/// A place in an account's history, with the bounds that the history had at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The last revision at the moment asked for.
    pub(crate) revision: Revision,
    /// The last revision of all.
    pub(crate) head: Revision,
    /// The revision that the history which is kept begins after.
    pub(crate) floor: Revision,
}

/// Where a moment lies; the present, when none is given. Refuses one outside of the history that is kept.
pub(crate) async fn position(
    at: &impl Readable,
    account: &AccountId,
    moment: Option<Moment>,
) -> Result<Position, Error> {
    let head = store::heads::read(at, account).await?;
    let revision = match moment {
        None => head.revision,
        Some(Moment::Revision(revision)) => revision,
        Some(moment @ Moment::Time(time)) if time > store::clock(at).await?.max(head.changed_at) => {
            return Err(in_future(moment, &head));
        }
        Some(Moment::Time(time)) => {
            // Changes made at that very moment had happened.
            let after = Timestamp(time.0.saturating_add(1));
            store::history::revision_before(at, account, after, head.revision).await?
        }
    };
    check(revision, moment.unwrap_or(Moment::Revision(revision)), &head)?;
    Ok(Position { revision, head: head.revision, floor: head.history_floor })
}

/// Refuses a revision outside of the history that is kept.
pub(crate) fn check(revision: Revision, requested: Moment, head: &Head) -> Result<(), Error> {
    if revision > head.revision {
        return Err(in_future(requested, head));
    }
    if revision < head.history_floor {
        return Err(Error::TooOld { requested, floor: head.history_floor, head: head.revision });
    }
    Ok(())
}

fn in_future(requested: Moment, head: &Head) -> Error {
    Error::InFuture { requested, floor: head.history_floor, head: head.revision }
}
