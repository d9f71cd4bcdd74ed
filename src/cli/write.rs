//! What every write may say about itself, and what it may insist on.

use ownership_proto::v1::precondition::Kind;
use ownership_proto::v1::{Precondition, Source, WriteContext};
use uuid::Uuid;

/// What a write says about itself.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct WriteArgs {
    /// Why, in one line; shown on the timeline
    #[arg(long, value_name = "TEXT", help_heading = "Write")]
    reason: Option<String>,
    /// Make the write happen at most once: a repeat under the same id answers as the first one did
    #[arg(long, value_name = "UUID", value_parser = uuid, help_heading = "Write")]
    request_id: Option<Uuid>,
    /// Member on whose behalf to act; recorded beside the caller
    #[arg(long, value_name = "MEMBER", help_heading = "Write")]
    acting_for: Option<String>,
    /// Tie changes of several calls together
    #[arg(long, value_name = "ID", help_heading = "Write")]
    batch_id: Option<String>,
}

impl WriteArgs {
    /// The context of a write that is one call.
    pub(super) fn context(&self) -> Option<WriteContext> {
        Some(WriteContext {
            request_id: self.request_id.as_ref().map(Uuid::to_string).unwrap_or_default(),
            member_id: self.acting_for.clone(),
            source: Source::Unspecified.into(),
            reason: self.reason.clone().unwrap_or_default(),
            batch_id: self.batch_id.clone(),
        })
    }

    /// Whether somebody may repeat it, and count on the same answer.
    pub(super) fn may_be_repeated(&self) -> bool {
        self.request_id.is_some()
    }

    /// The contexts of a write that takes several calls.
    #[expect(clippy::disallowed_methods, reason = "a command is where a request begins")]
    pub(super) fn series(&self) -> Series {
        let key = self.request_id.unwrap_or_else(Uuid::new_v4);
        let batch_id = self.batch_id.clone().unwrap_or_else(|| key.to_string());
        Series { key, context: WriteContext { batch_id: Some(batch_id), ..self.context().unwrap_or_default() } }
    }
}

/// Calls that belong together: one batch id, and a request id for each that a repeat of the whole derives again.
#[derive(Debug, Clone)]
pub(super) struct Series {
    key: Uuid,
    context: WriteContext,
}

impl Series {
    /// The request id that repeats the whole.
    pub(super) fn key(&self) -> Uuid {
        self.key
    }

    /// The context of one of the calls.
    pub(super) fn context(&self, chunk: usize) -> Option<WriteContext> {
        let request_id = Uuid::new_v5(&self.key, chunk.to_string().as_bytes()).to_string();
        Some(WriteContext { request_id, ..self.context.clone() })
    }
}

/// Whether those who get leads are to be told. Nothing is sent from here: it is noted with the change.
#[derive(clap::Args, Debug, Clone, Copy, Default)]
#[group(multiple = false)]
pub(super) struct NotifyArgs {
    /// Have the new owner notified; without this and --no-notify, the account's settings decide
    #[arg(long, help_heading = "Notification")]
    notify: bool,
    /// Have nobody notified
    #[arg(long, help_heading = "Notification")]
    no_notify: bool,
}

impl NotifyArgs {
    /// What was asked for, if anything was.
    pub(super) fn asked(self) -> Option<bool> {
        (self.notify || self.no_notify).then_some(self.notify)
    }
}

/// What must hold for a lead before it is written.
#[derive(clap::Args, Debug, Clone, Default)]
#[group(multiple = false)]
pub(super) struct ConditionArgs {
    /// Only if this member owns it
    #[arg(long, value_name = "MEMBER", help_heading = "Condition")]
    if_owner: Option<String>,
    /// Only if nobody owns it: a claim
    #[arg(long, help_heading = "Condition")]
    if_unassigned: bool,
    /// Only if its owner has not changed since this revision, as `lead get` shows it
    #[arg(long, value_name = "REVISION", help_heading = "Condition")]
    if_revision: Option<i64>,
}

impl ConditionArgs {
    /// The precondition. Absent when none was asked for.
    pub(super) fn precondition(&self) -> Option<Precondition> {
        let owner = self.if_owner.clone().map(Kind::OwnerId);
        let unassigned = self.if_unassigned.then_some(Kind::Unassigned(()));
        let kind = owner.or(unassigned).or(self.if_revision.map(Kind::Revision));
        kind.map(|kind| Precondition { kind: Some(kind) })
    }
}

fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::parse_str(text).map_err(|_| "is not a UUID like 7d11729f-c6df-42e8-9b5b-b6b1be828246".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_repeated_under_one_request_id_derives_the_same_ids() {
        let args = WriteArgs { request_id: Some(Uuid::from_u128(7)), ..WriteArgs::default() };
        let (one, other) = (args.series(), args.series());
        assert_eq!(one.context(0), other.context(0));
        assert_eq!(one.context(1), other.context(1));
        assert_ne!(one.context(0).unwrap().request_id, one.context(1).unwrap().request_id);
        assert_eq!(one.context(0).unwrap().batch_id, one.context(1).unwrap().batch_id);
    }

    #[test]
    fn series_without_a_request_id_are_apart() {
        let args = WriteArgs { batch_id: Some("cleanup".into()), ..WriteArgs::default() };
        assert_ne!(args.series().context(0).unwrap().request_id, args.series().context(0).unwrap().request_id);
        assert_eq!(args.series().context(0).unwrap().batch_id.as_deref(), Some("cleanup"));
    }
}
