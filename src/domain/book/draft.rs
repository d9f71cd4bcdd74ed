//! A draft: the book, plus what was decided since and is not committed yet.
//!
//! The door decides several requests in one transaction, each on top of those before it, while readers go on reading the book.
//! So decisions are kept beside the book until they are committed.

use std::collections::HashMap;

use super::Book;
use crate::domain::fact::{Commit, Fact};
use crate::domain::ids::{LeadId, MemberId, Revision};
use crate::domain::lead::{Lead, LeadRef, Ownership};
use crate::domain::member::Member;
use crate::domain::overdue::Limit;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;

/// How many leads somebody owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Open ones.
    pub open: i64,
    /// Closed ones.
    pub closed: i64,
}

/// The book, plus what was decided since.
#[derive(Debug)]
pub struct Draft<'a> {
    book: &'a Book,
    revision: Revision,
    leads: HashMap<LeadId, Drafted>,
    members: HashMap<MemberId, Member>,
    settings: Option<(Settings, Revision)>,
    gained: HashMap<MemberId, Load>,
    look: Look,
}

/// When an account is to be looked at for leads that nobody has owned for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// When it was to be looked at anyway, or at this time if that is earlier.
    By(Option<Timestamp>),
    /// At this time, if ever, whatever was before.
    At(Option<Timestamp>),
}

impl Look {
    /// At this time too, if not earlier.
    fn and_by(self, time: Timestamp) -> Self {
        let earlier = |before: Option<Timestamp>| Some(before.map_or(time, |before| before.min(time)));
        match self {
            Self::By(before) => Self::By(earlier(before)),
            Self::At(before) => Self::At(earlier(before)),
        }
    }
}

impl Default for Look {
    fn default() -> Self {
        Self::By(None)
    }
}

/// A lead in a draft.
#[derive(Debug)]
struct Drafted {
    /// Its state; absent if it is known no longer.
    lead: Option<Lead>,
    /// Whether nothing but its owner has changed.
    owner_only: bool,
}

/// What a draft leaves to be written: the state after it of everything it touched.
#[derive(Debug, Default)]
pub struct Touched {
    /// Leads that are new, or changed in more than their owners.
    pub leads: Vec<Lead>,
    /// The owners of leads of which nothing else changed.
    pub ownerships: Vec<Ownership>,
    /// Leads that are known no longer.
    pub forgotten: Vec<LeadId>,
    /// Members.
    pub members: Vec<Member>,
    /// The settings, and the revision that last changed them.
    pub settings: Option<(Settings, Revision)>,
    /// When the account is to be looked at for leads that nobody has owned for too long.
    pub look: Look,
}

impl<'a> Draft<'a> {
    /// A draft in which nothing was decided yet.
    pub fn of(book: &'a Book) -> Self {
        Self {
            book,
            revision: book.revision(),
            leads: HashMap::new(),
            members: HashMap::new(),
            settings: None,
            gained: HashMap::new(),
            look: Look::default(),
        }
    }

    /// The revision of the last decision.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// A lead.
    pub fn lead(&self, id: &LeadId) -> Option<Lead> {
        let in_book = || self.book.lead(id.as_str()).and_then(LeadRef::to_lead);
        self.leads.get(id).map_or_else(in_book, |drafted| drafted.lead.clone())
    }

    /// A member.
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.get(id).or_else(|| self.book.member(id.as_str()))
    }

    /// The settings, and the revision that last changed them.
    pub fn settings(&self) -> (&Settings, Revision) {
        self.settings.as_ref().map_or_else(|| self.book.settings(), |(settings, revision)| (settings, *revision))
    }

    /// How many leads a member owns.
    pub fn load(&self, owner: &MemberId) -> Load {
        let (before, gained) = (self.book.load(owner), self.gained.get(owner).copied().unwrap_or_default());
        Load { open: before.open + gained.open, closed: before.closed + gained.closed }
    }

    /// The leads that have waited for an owner since some moment after this one, longest first. Without those that were touched: when
    /// to look for them is settled.
    pub fn waiting_after(&self, since: Timestamp) -> impl Iterator<Item = LeadRef<'_>> {
        self.book.leads.waiting_after(since).filter(|lead| !self.leads.contains_key(lead.id))
    }

    /// The leads that wait were looked at. The next time is this, if any.
    pub fn looked(&mut self, next: Option<Timestamp>) {
        self.look = match self.look {
            Look::By(Some(time)) | Look::At(Some(time)) => Look::At(next).and_by(time),
            Look::By(None) | Look::At(None) => Look::At(next),
        };
    }

    /// Takes over what was decided for the next revision.
    pub fn absorb(&mut self, commit: &Commit) {
        for fact in &commit.facts {
            match fact {
                Fact::MemberUpserted(member) => {
                    self.members.insert(member.id.clone(), member.clone());
                }
                Fact::SettingsUpdated(settings) => self.absorb_settings(settings, commit),
                Fact::Registered { lead, .. }
                | Fact::OwnerChanged { lead, .. }
                | Fact::Forgotten { lead, .. }
                | Fact::LeadUpdated { lead, .. }
                | Fact::UnassignedOverdue { lead, .. } => self.absorb_lead(lead, fact, commit),
            }
        }
        self.revision = commit.revision;
    }

    /// Where leads are overdue earlier or later than before, the account is looked at right away, to find out when.
    fn absorb_settings(&mut self, settings: &Settings, commit: &Commit) {
        let limit = Limit::micros(settings.overdue);
        if limit != Limit::micros(self.settings().0.overdue) {
            self.look = Look::At(limit.map(|_| commit.at));
        }
        self.settings = Some((settings.clone(), commit.revision));
    }

    fn absorb_lead(&mut self, id: &LeadId, fact: &Fact, commit: &Commit) {
        let before = self.lead(id);
        let waited = before.as_ref().is_some_and(|lead| lead.as_ref().waits());
        self.count(before.as_ref(), -1);
        let after = Lead::after(before, fact, commit.revision, commit.at);
        self.count(after.as_ref(), 1);
        self.look_for(after.as_ref().filter(|_| !waited));
        let owner_only =
            matches!(fact, Fact::OwnerChanged { .. }) && self.leads.get(id).is_none_or(|drafted| drafted.owner_only);
        self.leads.insert(id.clone(), Drafted { lead: after, owner_only });
    }

    /// Sees to it that a lead is looked for, if it waits from now on.
    fn look_for(&mut self, lead: Option<&Lead>) {
        let Some(lead) = lead.map(Lead::as_ref).filter(|lead| lead.waits()) else { return };
        if let Some(rule) = self.settings().0.overdue_rule(Timestamp::default()) {
            self.look = self.look.and_by(rule.look_at(lead.since));
        }
    }

    fn count(&mut self, lead: Option<&Lead>, by: i64) {
        let Some((lead, owner)) = lead.and_then(|lead| Some((lead, lead.ownership.owner.clone()?))) else { return };
        let load = self.gained.entry(owner).or_default();
        *(if lead.projection.closed { &mut load.closed } else { &mut load.open }) += by;
    }

    /// The state after the draft of everything it touched.
    pub fn into_touched(self) -> Touched {
        let mut touched = Touched {
            members: self.members.into_values().collect(),
            settings: self.settings,
            look: self.look,
            ..Touched::default()
        };
        for (id, Drafted { lead, owner_only }) in self.leads {
            match lead {
                Some(lead) if owner_only => touched.ownerships.push(lead.ownership),
                Some(lead) => touched.leads.push(lead),
                None => touched.forgotten.push(id),
            }
        }
        touched
    }
}
