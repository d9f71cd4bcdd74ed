//! Leads: who owns them, and what selecting and counting needs of them.

use serde::{Deserialize, Serialize};

use super::actor::Source;
use super::attributes::{Attributes, AttributesRef};
use super::fact::Fact;
use super::ids::{LeadId, MemberId, Revision};
use super::overdue::waits;
use super::time::Timestamp;

/// What the lead's own service tells about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    /// The pipeline stage it is in.
    pub stage: String,
    /// When it entered that stage.
    pub stage_entered_at: Timestamp,
    /// Whether it is closed.
    pub closed: bool,
    /// When it was created at its source.
    pub created_at: Timestamp,
    /// Through which door it was created.
    pub source: Source,
    /// Further facts.
    pub attributes: Attributes,
    /// The time at the source that all this reflects.
    pub observed_at: Timestamp,
}

/// Who owns a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// The lead.
    pub lead: LeadId,
    /// Its owner; nobody when absent.
    pub owner: Option<MemberId>,
    /// Since when.
    pub since: Timestamp,
    /// The revision that last changed the owner, or registered the lead.
    pub revision: Revision,
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnershipRef<'a> {
    /// The lead.
    pub lead: &'a str,
    /// Its owner; nobody when absent.
    pub owner: Option<&'a str>,
    /// Since when.
    pub since: Timestamp,
    /// The revision that last changed the owner, or registered the lead.
    pub revision: Revision,
}

impl Ownership {
    /// The same, borrowed.
    pub fn as_ref(&self) -> OwnershipRef<'_> {
        let owner = self.owner.as_ref().map(MemberId::as_str);
        OwnershipRef { lead: self.lead.as_str(), owner, since: self.since, revision: self.revision }
    }
}

/// A lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Who owns it.
    pub ownership: Ownership,
    /// What its service tells about it.
    pub projection: Projection,
    /// Whether others were told that nobody has owned it for too long.
    pub overdue: bool,
}

/// A lead in a book, or on its way into one: borrowed, and so cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadRef<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its owner; nobody when absent.
    pub owner: Option<&'a str>,
    /// Since when.
    pub since: Timestamp,
    /// The revision that last changed the owner, or registered the lead.
    pub revision: Revision,
    /// The pipeline stage it is in.
    pub stage: &'a str,
    /// When it entered that stage.
    pub stage_entered_at: Timestamp,
    /// Whether it is closed.
    pub closed: bool,
    /// When it was created at its source.
    pub created_at: Timestamp,
    /// Through which door it was created.
    pub source: Source,
    /// Further facts.
    pub attributes: AttributesRef<'a>,
    /// The time at the source that the projection reflects.
    pub observed_at: Timestamp,
    /// Whether others were told that nobody has owned it for too long.
    pub overdue: bool,
}

impl Lead {
    /// The same, borrowed.
    pub fn as_ref(&self) -> LeadRef<'_> {
        let Self { ownership, projection, overdue } = self;
        LeadRef {
            id: ownership.lead.as_str(),
            owner: ownership.owner.as_ref().map(MemberId::as_str),
            since: ownership.since,
            revision: ownership.revision,
            stage: &projection.stage,
            stage_entered_at: projection.stage_entered_at,
            closed: projection.closed,
            created_at: projection.created_at,
            source: projection.source,
            attributes: projection.attributes.as_ref(),
            observed_at: projection.observed_at,
            overdue: *overdue,
        }
    }

    /// The lead after a fact of `revision` that happened `at`: the one place that says what a fact does to a lead.
    ///
    /// Facts about other things leave it as it is.
    pub fn after(lead: Option<Self>, fact: &Fact, revision: Revision, at: Timestamp) -> Option<Self> {
        match fact {
            Fact::Registered { lead, owner, notify: _, projection } => Some(Self {
                ownership: Ownership { lead: lead.clone(), owner: owner.clone(), since: at, revision },
                projection: projection.clone(),
                overdue: false,
            }),
            Fact::OwnerChanged { lead: id, owner, .. } => lead.map(|lead| Self {
                ownership: Ownership { lead: id.clone(), owner: owner.clone(), since: at, revision },
                overdue: false,
                ..lead
            }),
            Fact::Forgotten { .. } => None,
            Fact::LeadUpdated { projection, .. } => lead.map(|lead| Self { projection: projection.clone(), ..lead }),
            Fact::UnassignedOverdue { .. } => lead.map(|lead| Self { overdue: true, ..lead }),
            Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => lead,
        }
    }
}

impl<'a> LeadRef<'a> {
    /// Who owns it.
    pub fn ownership(self) -> OwnershipRef<'a> {
        OwnershipRef { lead: self.id, owner: self.owner, since: self.since, revision: self.revision }
    }

    /// Whether it waits for an owner.
    pub fn waits(self) -> bool {
        waits(self.owner.is_some(), self.closed, self.overdue)
    }

    /// A copy of its own. Nothing, if it is borrowed from something that did not check its ids.
    pub fn to_lead(self) -> Option<Lead> {
        Some(Lead {
            ownership: self.ownership().to_ownership()?,
            projection: Projection {
                stage: self.stage.to_owned(),
                stage_entered_at: self.stage_entered_at,
                closed: self.closed,
                created_at: self.created_at,
                source: self.source,
                attributes: self.attributes.to_owned(),
                observed_at: self.observed_at,
            },
            overdue: self.overdue,
        })
    }
}

#[cfg(test)]
impl<'a> LeadRef<'a> {
    /// A lead of which nothing matters but these.
    pub(crate) fn named(id: &'a str, owner: Option<&'a str>) -> Self {
        let (at, attributes) = (Timestamp(1), AttributesRef::default());
        Self {
            id,
            owner,
            since: at,
            revision: Revision(1),
            stage: "",
            stage_entered_at: at,
            closed: false,
            created_at: at,
            source: Source::Api,
            attributes,
            observed_at: at,
            overdue: false,
        }
    }
}

impl OwnershipRef<'_> {
    /// A copy of its own. Nothing, if it is borrowed from something that did not check its ids.
    pub fn to_ownership(self) -> Option<Ownership> {
        let lead = LeadId::parse(self.lead).ok()?;
        let owner = self.owner.map(MemberId::parse).transpose().ok()?;
        Some(Ownership { lead, owner, since: self.since, revision: self.revision })
    }
}
