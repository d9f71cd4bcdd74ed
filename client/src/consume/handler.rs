//! What a consumer brings: a table of its own, and how changes get into it.

use std::collections::BTreeMap;

use ownership_proto::v1::{ErrorReason as Reason, NotificationIntent, OverdueLead, OwnerChange, Ownership};

use super::parking::Parked;
use crate::Error;

/// How far an account has been followed: everything up to this revision of this history was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The history. Revisions of one say nothing about those of another.
    pub history_id: String,
    /// The revision.
    pub revision: i64,
}

/// A table that follows the owners of leads, or whatever else is made of their changes.
///
/// The position of an account is kept in the same place as what was made of its changes, and moves in the same transaction. So it does
/// not matter where a program ends, or how often it is told the same.
pub trait Handler: Send + Sync + 'static {
    /// Why something could not be done. It is tried again some times, then the event is parked; unless what failed was
    /// [`position`](Self::position), or the tables [are away](Self::is_away).
    type Error: Into<crate::BoxError> + Send;

    /// What is wanted of an account that nothing is kept of.
    const BEGINNING: Beginning = Beginning::List;

    /// How far an account was followed. `None`: nothing is kept of it. Depends on no event, so none is parked because this fails: it is
    /// asked again until it succeeds.
    fn position(&self, account_id: &str) -> impl Future<Output = Result<Option<Position>, Self::Error>> + Send;

    /// Takes up an account, or takes it up anew. In one transaction: nothing, if the position is no longer `start.from`; else forgets all
    /// that is kept of it, keeps what `start` says, and sets the position `start.to`.
    fn begin(&self, start: &Start) -> impl Future<Output = Result<Applied, Self::Error>> + Send;

    /// Applies a step. In one transaction: nothing, if the position is no longer `step.from`; else everything, with the position
    /// `step.to`.
    fn apply(&self, step: &Step) -> impl Future<Output = Result<Applied, Self::Error>> + Send;

    /// Whether `begin` or `apply` failed for a reason that has nothing to do with what was to be done, such as a database that cannot be
    /// reached or written to. The event is then tried until it succeeds, and never parked.
    fn is_away(&self, error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// An event was parked, which is logged as an error as well. Somebody has to look at it.
    fn parked(&self, parked: &Parked) {
        let _ = parked;
    }
}

/// What is wanted of an account that nothing is kept of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Who owns each of its leads, then what changes after that.
    List,
    /// What comes from here on.
    Here,
}

/// What an account begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The account.
    pub account_id: String,
    /// What is given up. `None`: nothing was kept.
    pub from: Option<Position>,
    /// What is followed after this.
    pub to: Position,
    /// Every lead as it was then, by id; none with [`Beginning::Here`].
    pub leads: Vec<Ownership>,
    /// Why something is given up.
    pub why: Option<StartOver>,
}

/// Why what follows a position cannot be had any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOver {
    /// The log no longer goes back that far.
    TooOld,
    /// The database was put back to an earlier state, and does not know what was seen.
    InFuture,
    /// The database was restored or replaced.
    OtherHistory,
}

impl StartOver {
    /// What an answer of the service says about the position that was asked for.
    pub(crate) fn told_by(error: &Error) -> Option<Self> {
        match error.reason()? {
            Reason::PositionTooOld => Some(Self::TooOld),
            Reason::PositionInFuture => Some(Self::InFuture),
            Reason::HistoryMismatch => Some(Self::OtherHistory),
            _ => None,
        }
    }
}

/// What happened to an account next.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The account.
    pub account_id: String,
    /// After what it happened.
    pub from: Position,
    /// What has been seen with it.
    pub to: Position,
    /// Changes of owners, whole revisions in order. May be empty: some revisions change no owner.
    pub changes: Vec<OwnerChange>,
    /// Leads that nobody has owned for too long, whole revisions in order. What is missing in the stream, or is delivered again after
    /// what follows it, is missing here: the log that gaps are repaired from has changes of owners only.
    pub overdue: Vec<OverdueLead>,
}

impl Step {
    /// Whom to notify of the changes: each new owner once for each request. The same for every consumer, however the changes came.
    pub fn intents(&self) -> Vec<NotificationIntent> {
        let mut counts: BTreeMap<(i64, &str), i32> = BTreeMap::new();
        for change in self.changes.iter().filter(|change| change.notify_new_owner) {
            if let Some(owner) = &change.owner_id {
                *counts.entry((change.revision, owner)).or_default() += 1;
            }
        }
        let intent = |((revision, owner), lead_count): ((i64, &str), i32)| NotificationIntent {
            revision,
            owner_id: owner.to_owned(),
            lead_count,
        };
        counts.into_iter().map(intent).collect()
    }

    /// The changes that an intent is about.
    pub fn changes_of<'a>(&'a self, intent: &'a NotificationIntent) -> impl Iterator<Item = &'a OwnerChange> {
        self.changes.iter().filter(|change| {
            change.notify_new_owner
                && change.revision == intent.revision
                && change.owner_id.as_deref() == Some(&intent.owner_id)
        })
    }
}

/// What became of a step, or a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is done.
    Done,
    /// Nothing was done: the position has moved meanwhile, as another instance of the same consumer may do.
    Outrun,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: i64, lead: &str, owner: Option<&str>, notify_new_owner: bool) -> OwnerChange {
        let (lead_id, owner_id) = (lead.to_owned(), owner.map(str::to_owned));
        OwnerChange { revision, lead_id, owner_id, notify_new_owner, ..Default::default() }
    }

    #[test]
    fn each_new_owner_is_told_once_of_a_request_if_at_all() {
        let at = |revision| Position { history_id: "h".to_owned(), revision };
        let changes = vec![
            change(4, "L1", Some("anna"), true),
            change(4, "L2", Some("ben"), true),
            change(4, "L3", Some("anna"), true),
            change(4, "L4", None, false),
            change(5, "L1", Some("ben"), false),
            change(6, "L1", Some("anna"), true),
        ];
        let step = Step { account_id: "acme".to_owned(), from: at(3), to: at(6), changes, overdue: Vec::new() };
        let intents = step.intents();
        let told: Vec<_> = intents.iter().map(|it| (it.revision, it.owner_id.as_str(), it.lead_count)).collect();
        assert_eq!(told, [(4, "anna", 2), (4, "ben", 1), (6, "anna", 1)]);
        let leads: Vec<_> = step.changes_of(&intents[0]).map(|change| change.lead_id.as_str()).collect();
        assert_eq!(leads, ["L1", "L3"]);
    }
}
