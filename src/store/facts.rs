//! The log: what is appended to it, and commits read back from it.

use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Select, Value};
use serde::{Deserialize, Serialize};

use super::entity::fact::{Column, Entity, Model};
use super::table::{Kind, Table, optional};
use super::{Error, Readable};
use crate::domain::actor::{Actor, Origin, Source};
use crate::domain::change::{ChangeKind, kind_of};
use crate::domain::fact::{Commit, Fact};
use crate::domain::ids::{AccountId, BatchId, CallerId, LeadId, MemberId, Revision};
use crate::domain::time::Timestamp;

/// The log as it is appended to.
pub(super) const TABLE: Table = Table {
    name: "fact",
    key: 3,
    columns: &[
        ("account_id", Kind::Text),
        ("revision", Kind::BigInteger),
        ("ordinal", Kind::Integer),
        ("kind", Kind::Text),
        ("lead_id", Kind::OptionalText),
        ("previous_owner_id", Kind::OptionalText),
        ("owner_id", Kind::OptionalText),
        ("occurred_at", Kind::BigInteger),
        ("caller_id", Kind::Text),
        ("actor_member_id", Kind::OptionalText),
        ("source", Kind::Text),
        ("reason", Kind::Text),
        ("batch_id", Kind::OptionalText),
        ("request_id", Kind::OptionalText),
        ("payload", Kind::OptionalText),
        ("notice", Kind::OptionalText),
    ],
};

/// What others are to be told beside what happened: that the new owner is to be notified, or that nobody has owned a lead for too
/// long. The latter is an update of the lead that changes nothing, and so also for a release that does not know better.
const NEW_OWNER: &str = "new_owner";
const OVERDUE: &str = "overdue";

/// What is known of an overdue lead, and the episode without an owner.
#[derive(Serialize, Deserialize)]
struct OverduePayload<P> {
    #[serde(flatten)]
    projection: P,
    unassigned_since: Timestamp,
    unassigned_revision: Revision,
}

pub(super) const LEAD_UPDATED: &str = "lead_updated";
pub(super) const MEMBER_UPSERTED: &str = "member_upserted";
pub(super) const SETTINGS_UPDATED: &str = "settings_updated";

/// The words of the facts that are changes of owners.
pub(super) const OWNER_CHANGES: [&str; 5] = ["registered", "assigned", "reassigned", "unassigned", "forgotten"];

/// The facts of a commit as rows of the log.
pub(super) fn rows_of<'a>(account: &'a AccountId, commit: &'a Commit) -> impl Iterator<Item = [Value; 16]> {
    (0..).zip(&commit.facts).map(move |(ordinal, fact)| row_of(account, commit, ordinal, fact))
}

/// The commits of an account from a revision on, whole, oldest first; about `limit` facts of them. Complete only above the
/// account's facts floor.
#[tracing::instrument(level = "debug", skip(at, limit))]
pub async fn commits_from(
    at: &impl Readable,
    account: &AccountId,
    from: Revision,
    limit: u64,
) -> Result<Vec<Commit>, Error> {
    let query = Entity::in_account(account).filter(Column::Revision.gte(from.0));
    whole_commits(at, query, limit).await
}

/// The same with nothing but owner changes, up to and including a revision. Commits without any are left out.
#[tracing::instrument(level = "debug", skip(at, limit))]
pub async fn owner_changes_between(
    at: &impl Readable,
    account: &AccountId,
    after: Revision,
    until: Revision,
    limit: u64,
) -> Result<Vec<Commit>, Error> {
    let query = between(account, after, until).filter(Column::Kind.is_in(OWNER_CHANGES));
    whole_commits(at, query, limit).await
}

/// The same with nothing but what is published: owner changes, and leads that nobody has owned for too long.
#[tracing::instrument(level = "debug", skip(at, limit))]
pub async fn published_between(
    at: &impl Readable,
    account: &AccountId,
    after: Revision,
    until: Revision,
    limit: u64,
) -> Result<Vec<Commit>, Error> {
    let query = between(account, after, until).filter(is_published());
    whole_commits(at, query, limit).await
}

fn between(account: &AccountId, after: Revision, until: Revision) -> Select<Entity> {
    Entity::in_account(account).filter(Column::Revision.gt(after.0)).filter(Column::Revision.lte(until.0))
}

/// What is published of the log.
pub(super) fn is_published() -> Condition {
    Condition::any().add(Column::Kind.is_in(OWNER_CHANGES)).add(Column::Notice.eq(OVERDUE))
}

/// The commits that the first rows of a query make up. A commit that the limit may have cut is left out, unless it is the first:
/// then the rows are read again without a limit that could cut it.
async fn whole_commits(at: &impl Readable, query: Select<Entity>, limit: u64) -> Result<Vec<Commit>, Error> {
    let ordered = query.order_by_asc(Column::Revision).order_by_asc(Column::Ordinal);
    let rows = ordered.clone().limit(limit).all(at.connection()).await?;
    let cut = rows.len() as u64 == limit;
    let mut commits = commits_of(rows)?;
    if cut && commits.len() > 1 {
        commits.pop();
    } else if cut {
        let only = commits.first().map_or(0, |commit| commit.revision.0);
        commits = commits_of(ordered.filter(Column::Revision.eq(only)).all(at.connection()).await?)?;
    }
    Ok(commits)
}

/// The commits that rows in order make up.
pub(super) fn commits_of(rows: Vec<Model>) -> Result<Vec<Commit>, Error> {
    let mut commits: Vec<Commit> = Vec::new();
    for row in rows {
        let fact = fact_of(&row)?;
        match commits.last_mut() {
            Some(commit) if commit.revision.0 == row.revision => commit.facts.push(fact),
            _ => commits.push(Commit {
                revision: Revision(row.revision),
                at: Timestamp(row.occurred_at),
                origin: origin_of(&row)?,
                facts: vec![fact],
            }),
        }
    }
    Ok(commits)
}

fn row_of(account: &AccountId, commit: &Commit, ordinal: i32, fact: &Fact) -> [Value; 16] {
    let Commit { revision, at, origin, facts: _ } = commit;
    let Origin { actor: Actor { caller, member }, source, reason, batch, request } = origin;
    let columns = columns_of(fact);
    [
        account.as_str().into(),
        revision.0.into(),
        ordinal.into(),
        columns.kind.into(),
        optional(fact.lead().map(LeadId::as_str)),
        optional(columns.previous.map(MemberId::as_str)),
        optional(columns.owner.map(MemberId::as_str)),
        at.0.into(),
        caller.as_str().into(),
        optional(member.as_ref().map(MemberId::as_str)),
        source.as_str().into(),
        reason.as_str().into(),
        optional(batch.as_ref().map(BatchId::as_str)),
        request.map(|id| id.to_string()).unwrap_or_default().into(),
        columns.payload.unwrap_or_default().into(),
        optional(notice_of(fact)),
    ]
}

fn notice_of(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::Registered { notify, .. } | Fact::OwnerChanged { notify, .. } => notify.then_some(NEW_OWNER),
        Fact::UnassignedOverdue { .. } => Some(OVERDUE),
        Fact::Forgotten { .. } | Fact::LeadUpdated { .. } | Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => None,
    }
}

struct Columns<'a> {
    kind: &'static str,
    previous: Option<&'a MemberId>,
    owner: Option<&'a MemberId>,
    payload: Option<String>,
}

fn columns_of(fact: &Fact) -> Columns<'_> {
    let (word, previous, owner, payload) = match fact {
        Fact::Registered { owner, projection, .. } => (None, None, owner.as_ref(), Some(json(projection))),
        Fact::OwnerChanged { previous, owner, .. } => (None, previous.as_ref(), owner.as_ref(), None),
        Fact::Forgotten { previous, .. } => (None, previous.as_ref(), None, None),
        Fact::LeadUpdated { projection, .. } => (Some(LEAD_UPDATED), None, None, Some(json(projection))),
        Fact::UnassignedOverdue { lead: _, since, ownership, projection } => {
            let payload = OverduePayload { projection, unassigned_since: *since, unassigned_revision: *ownership };
            (Some(LEAD_UPDATED), None, None, Some(json(&payload)))
        }
        Fact::MemberUpserted(member) => (Some(MEMBER_UPSERTED), None, None, Some(json(member))),
        Fact::SettingsUpdated(settings) => (Some(SETTINGS_UPDATED), None, None, Some(json(settings))),
    };
    let kind = kind_of(fact).map(ChangeKind::as_str).or(word).unwrap_or_default();
    Columns { kind, previous, owner, payload }
}

/// Payloads are plain structs of numbers, strings and maps of strings: JSON can hold all of that.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn fact_of(row: &Model) -> Result<Fact, Error> {
    let lead =
        || row.lead_id.as_deref().and_then(|id| LeadId::parse(id).ok()).ok_or_else(|| unreadable(row, "lead_id"));
    let (previous, owner) = (member_id(row, &row.previous_owner_id)?, member_id(row, &row.owner_id)?);
    let notify = row.notice.as_deref() == Some(NEW_OWNER);
    Ok(match row.kind.as_str() {
        "registered" => Fact::Registered { lead: lead()?, owner, notify, projection: payload(row)? },
        "assigned" | "reassigned" | "unassigned" => Fact::OwnerChanged { lead: lead()?, previous, owner, notify },
        "forgotten" => Fact::Forgotten { lead: lead()?, previous },
        LEAD_UPDATED if row.notice.as_deref() == Some(OVERDUE) => {
            let OverduePayload { projection, unassigned_since: since, unassigned_revision: ownership } = payload(row)?;
            Fact::UnassignedOverdue { lead: lead()?, since, ownership, projection }
        }
        LEAD_UPDATED => Fact::LeadUpdated { lead: lead()?, projection: payload(row)? },
        MEMBER_UPSERTED => Fact::MemberUpserted(payload(row)?),
        SETTINGS_UPDATED => Fact::SettingsUpdated(payload(row)?),
        _ => return Err(unreadable(row, "kind")),
    })
}

fn origin_of(row: &Model) -> Result<Origin, Error> {
    let batch = row.batch_id.as_deref().map(BatchId::parse).transpose().map_err(|_| unreadable(row, "batch_id"))?;
    let request = row.request_id.as_deref().map(uuid::Uuid::parse_str).transpose();
    Ok(Origin {
        actor: Actor {
            caller: CallerId::parse(&row.caller_id).map_err(|_| unreadable(row, "caller_id"))?,
            member: member_id(row, &row.actor_member_id)?,
        },
        source: Source::from_word(&row.source).ok_or_else(|| unreadable(row, "source"))?,
        reason: row.reason.clone(),
        batch,
        request: request.map_err(|_| unreadable(row, "request_id"))?,
    })
}

fn member_id(row: &Model, id: &Option<String>) -> Result<Option<MemberId>, Error> {
    id.as_deref().map(MemberId::parse).transpose().map_err(|_| unreadable(row, "a member id"))
}

pub(super) fn payload<T: serde::de::DeserializeOwned>(row: &Model) -> Result<T, Error> {
    let text = row.payload.as_deref().ok_or_else(|| unreadable(row, "no payload"))?;
    serde_json::from_str(text).map_err(|_| unreadable(row, "payload"))
}

pub(super) fn unreadable(row: &Model, what: &str) -> Error {
    let Model { account_id, revision, ordinal, .. } = row;
    Error::Unreadable { table: "fact", what: format!("{what} at {account_id}/{revision}/{ordinal}") }
}
