//! Owner changes: which of them, and what they say.

use ownership_proto::v1 as pb;

use super::pages::Paged;
use super::time::to_timestamp;
use super::writes::sources;
use super::{Invalid, id, ids, optional_id};
use crate::domain::actor::{Actor, Origin};
use crate::domain::change::{ChangeFilter, ChangeKind, OwnerChange};
use crate::domain::ids::{AccountId, Revision};
use crate::history::{Timeline, TimelineRequest};
use crate::page::Read;
use crate::rpc::call::Ask;

/// Which changes.
pub(super) fn change_filter(filter: Option<pb::ChangeFilter>) -> Result<ChangeFilter, Invalid> {
    let pb::ChangeFilter { owner_ids, unassigned, lead_ids, kinds, sources: doors } = filter.unwrap_or_default();
    Ok(ChangeFilter {
        owners: ids(owner_ids, "filter.owner_ids")?,
        unassigned,
        leads: ids(lead_ids, "filter.lead_ids")?,
        kinds: kinds.into_iter().enumerate().map(kind).collect::<Result<_, _>>()?,
        sources: sources(doors, "filter.sources")?,
    })
}

fn kind((index, number): (usize, i32)) -> Result<ChangeKind, Invalid> {
    Ok(match pb::ChangeKind::try_from(number).unwrap_or_default() {
        pb::ChangeKind::Unspecified => return Err(Invalid::not_known(format_args!("filter.kinds[{index}]"))),
        pb::ChangeKind::Registered => ChangeKind::Registered,
        pb::ChangeKind::Assigned => ChangeKind::Assigned,
        pb::ChangeKind::Reassigned => ChangeKind::Reassigned,
        pb::ChangeKind::Unassigned => ChangeKind::Unassigned,
        pb::ChangeKind::Forgotten => ChangeKind::Forgotten,
    })
}

impl From<ChangeKind> for pb::ChangeKind {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Registered => Self::Registered,
            ChangeKind::Assigned => Self::Assigned,
            ChangeKind::Reassigned => Self::Reassigned,
            ChangeKind::Unassigned => Self::Unassigned,
            ChangeKind::Forgotten => Self::Forgotten,
        }
    }
}

impl From<OwnerChange> for pb::OwnerChange {
    fn from(change: OwnerChange) -> Self {
        let OwnerChange { revision, ordinal, lead, kind, previous, owner, notify, at, origin } = change;
        let Origin { actor: Actor { caller, member }, source, reason, batch, request: _ } = origin;
        Self {
            revision: revision.0,
            ordinal,
            lead_id: lead.into(),
            kind: pb::ChangeKind::from(kind).into(),
            previous_owner_id: previous.map(String::from),
            owner_id: owner.map(String::from),
            occurred_at: Some(to_timestamp(at)),
            actor: Some(pb::Actor { caller_id: caller.into(), member_id: member.map(String::from) }),
            source: pb::Source::from(source).into(),
            reason,
            batch_id: batch.map(String::from).unwrap_or_default(),
            notify_new_owner: notify,
        }
    }
}

impl Paged for pb::ListOwnerChangesRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.OwnershipService/ListOwnerChanges";

    fn strip(&mut self) -> (i32, String) {
        (std::mem::take(&mut self.page_size), std::mem::take(&mut self.page_token))
    }
}

impl Ask for pb::ListOwnerChangesRequest {
    type Question = TimelineRequest;

    fn question(self) -> Result<(AccountId, TimelineRequest), Invalid> {
        let page = self.page();
        let Self {
            account_id,
            lead_id,
            filter,
            after_revision,
            until_revision,
            newest_first,
            page_size: _,
            page_token: _,
            history_id,
        } = self;
        let question = TimelineRequest {
            lead: optional_id(lead_id, format_args!("lead_id"))?,
            filter: change_filter(filter)?,
            after: Revision(after_revision),
            until: until_revision.map(Revision),
            newest_first,
            history: Some(history_id).filter(|history| !history.is_empty()),
            page,
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl From<Read<Timeline>> for pb::ListOwnerChangesResponse {
    fn from(read: Read<Timeline>) -> Self {
        let Read { revision, value: Timeline { changes, next_page_token, history } } = read;
        let changes = changes.into_iter().map(Into::into).collect();
        Self { changes, next_page_token, revision: revision.0, history_id: history }
    }
}
