//! What only the log knows: timelines, and how things were.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Select};

use super::entity::fact::{Column, Entity, Model};
use super::facts::{MEMBER_UPSERTED, OWNER_CHANGES, SETTINGS_UPDATED, commits_of, is_published, payload, unreadable};
use super::{Error, Readable};
use crate::domain::fact::{Commit, Fact};
use crate::domain::ids::{AccountId, LeadId, MemberId, Revision};
use crate::domain::lead::Ownership;
use crate::domain::member::Member;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;

/// A place in the log: a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its revision.
    pub revision: Revision,
    /// Its place within the revision.
    pub ordinal: i32,
}

/// Which owner changes.
#[derive(Debug, Clone)]
pub struct Span<'a> {
    /// Only those of this lead.
    pub lead: Option<&'a LeadId>,
    /// Only those after this revision.
    pub after: Revision,
    /// Only those up to this revision.
    pub until: Revision,
    /// Only those beyond this place, in the order asked for.
    pub beyond: Option<Place>,
    /// Newest first.
    pub newest_first: bool,
}

/// One owner change with its place: a commit that holds nothing else.
pub type Placed = (Place, Commit);

/// Up to `limit` owner changes of a span.
pub async fn owner_changes(
    at: &impl Readable,
    account: &AccountId,
    span: &Span<'_>,
    limit: u64,
) -> Result<Vec<Placed>, Error> {
    let mut query = Entity::in_account(account)
        .filter(Column::Revision.gt(span.after.0))
        .filter(Column::Revision.lte(span.until.0))
        .filter(Column::Kind.is_in(OWNER_CHANGES));
    if let Some(lead) = span.lead {
        query = query.filter(Column::LeadId.eq(lead.as_str()));
    }
    if let Some(place) = span.beyond {
        query = query.filter(beyond(place, span.newest_first));
    }
    let rows = ordered(query, span.newest_first).limit(limit).all(at.connection()).await?;
    rows.into_iter().map(placed).collect()
}

fn beyond(place: Place, newest_first: bool) -> Condition {
    let Place { revision: Revision(revision), ordinal } = place;
    let within = Column::Revision.eq(revision);
    if newest_first {
        Condition::any().add(Column::Revision.lt(revision)).add(within.and(Column::Ordinal.lt(ordinal)))
    } else {
        Condition::any().add(Column::Revision.gt(revision)).add(within.and(Column::Ordinal.gt(ordinal)))
    }
}

fn ordered(query: Select<Entity>, newest_first: bool) -> Select<Entity> {
    if newest_first {
        query.order_by_desc(Column::Revision).order_by_desc(Column::Ordinal)
    } else {
        query.order_by_asc(Column::Revision).order_by_asc(Column::Ordinal)
    }
}

fn placed(row: Model) -> Result<Placed, Error> {
    let place = Place { revision: Revision(row.revision), ordinal: row.ordinal };
    let broken = unreadable(&row, "no fact");
    let commit = commits_of(vec![row])?.pop().ok_or(broken)?;
    Ok((place, commit))
}

/// Whether a lead was ever known.
pub async fn was_known(at: &impl Readable, account: &AccountId, lead: &LeadId) -> Result<bool, Error> {
    let found = Entity::in_account(account).filter(Column::LeadId.eq(lead.as_str())).one(at.connection()).await?;
    Ok(found.is_some())
}

/// The last revision of an account made before a time; the beginning, if there is none. Finds it by halving: times never decrease
/// from revision to revision, and revisions are the key.
pub async fn revision_before(
    at: &impl Readable,
    account: &AccountId,
    time: Timestamp,
    head: Revision,
) -> Result<Revision, Error> {
    let (mut before, mut not_before) = (Revision::ZERO, head.next());
    while before.next() < not_before {
        let middle = Revision(before.0 + (not_before.0 - before.0) / 2);
        match first_from(at, account, middle).await? {
            Some((revision, made_at)) if made_at < time => before = revision,
            _ => not_before = middle,
        }
    }
    Ok(before)
}

/// The last revision of an account, up to one, that is published; the beginning, if there is none.
pub async fn last_published(at: &impl Readable, account: &AccountId, until: Revision) -> Result<Revision, Error> {
    let row: Option<i64> = Entity::in_account(account)
        .select_only()
        .column(Column::Revision)
        .filter(Column::Revision.lte(until.0))
        .filter(is_published())
        .order_by_desc(Column::Revision)
        .limit(1)
        .into_tuple()
        .one(at.connection())
        .await?;
    Ok(Revision(row.unwrap_or_default()))
}

/// When a revision of an account was made, if the log has it.
pub async fn made_at(at: &impl Readable, account: &AccountId, revision: Revision) -> Result<Option<Timestamp>, Error> {
    let first = first_from(at, account, revision).await?;
    Ok(first.filter(|(found, _)| *found == revision).map(|(_, made_at)| made_at))
}

/// The first commit at or after a revision that is still in the log, and when it was made.
async fn first_from(
    at: &impl Readable,
    account: &AccountId,
    from: Revision,
) -> Result<Option<(Revision, Timestamp)>, Error> {
    let row: Option<(i64, i64)> = Entity::in_account(account)
        .select_only()
        .columns([Column::Revision, Column::OccurredAt])
        .filter(Column::Revision.gte(from.0))
        .order_by_asc(Column::Revision)
        .order_by_asc(Column::Ordinal)
        .limit(1)
        .into_tuple()
        .one(at.connection())
        .await?;
    Ok(row.map(|(revision, made_at)| (Revision(revision), Timestamp(made_at))))
}

/// Who owned each of some leads right after a revision. Leads that were not known then are absent.
pub async fn ownerships_at(
    at: &impl Readable,
    account: &AccountId,
    leads: &[LeadId],
    revision: Revision,
) -> Result<Vec<Ownership>, Error> {
    let rows = last_of_each(account, leads, revision).all(at.connection()).await?;
    let commits = rows.into_iter().map(placed).collect::<Result<Vec<_>, _>>()?;
    Ok(commits.into_iter().filter_map(|(_, commit)| ownership_after(&commit)).collect())
}

fn ownership_after(commit: &Commit) -> Option<Ownership> {
    let (lead, owner) = match commit.facts.first()? {
        Fact::Registered { lead, owner, .. } | Fact::OwnerChanged { lead, owner, .. } => (lead, owner),
        Fact::Forgotten { .. } | Fact::LeadUpdated { .. } | Fact::UnassignedOverdue { .. } => return None,
        Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => return None,
    };
    Some(Ownership { lead: lead.clone(), owner: owner.clone(), since: commit.at, revision: commit.revision })
}

/// The last owner change of each of some leads, up to a revision.
fn last_of_each(account: &AccountId, leads: &[LeadId], revision: Revision) -> Select<Entity> {
    let of_these = || Column::LeadId.is_in(leads.iter().map(LeadId::as_str)).and(Column::Kind.is_in(OWNER_CHANGES));
    let last = Query::select()
        .column(Column::LeadId)
        .expr(Column::Revision.max())
        .from(Entity)
        .and_where(Column::AccountId.eq(account.as_str()))
        .and_where(of_these())
        .and_where(Column::Revision.lte(revision.0))
        .group_by_col(Column::LeadId)
        .to_owned();
    let key = Expr::tuple([Expr::col(Column::LeadId), Expr::col(Column::Revision)]);
    Entity::in_account(account).filter(of_these()).filter(key.in_subquery(last))
}

/// The members as they were right after a revision.
pub async fn members_at(at: &impl Readable, account: &AccountId, revision: Revision) -> Result<Vec<Member>, Error> {
    let rows = Entity::in_account(account)
        .filter(Column::Kind.eq(MEMBER_UPSERTED))
        .filter(Column::Revision.lte(revision.0))
        .order_by_asc(Column::Revision)
        .order_by_asc(Column::Ordinal)
        .all(at.connection())
        .await?;
    let mut members = std::collections::HashMap::<MemberId, Member>::new();
    for row in &rows {
        let member: Member = payload(row)?;
        members.insert(member.id.clone(), member);
    }
    Ok(members.into_values().collect())
}

/// The settings as they were right after a revision.
pub async fn settings_at(at: &impl Readable, account: &AccountId, revision: Revision) -> Result<Settings, Error> {
    let row = Entity::in_account(account)
        .filter(Column::Kind.eq(SETTINGS_UPDATED))
        .filter(Column::Revision.lte(revision.0))
        .order_by_desc(Column::Revision)
        .one(at.connection())
        .await?;
    row.as_ref().map_or(Ok(Settings::default()), payload)
}
