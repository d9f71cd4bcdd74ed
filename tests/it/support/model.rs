//! What the service does, in the smallest form: the specification that random commands are compared with.

use std::collections::BTreeMap;

use super::{ChangeKind, Outcome, Standing};

/// A write.
#[derive(Debug, Clone)]
pub enum Command {
    Register {
        lead: String,
        owner: Option<String>,
    },
    Assign {
        lead: String,
        owner: String,
        when: Option<Condition>,
    },
    Unassign {
        lead: String,
        when: Option<Condition>,
    },
    Bulk {
        items: Vec<(String, Option<String>)>,
        skip_failed: bool,
    },
    /// Brings the stage up to date, as observed at this time.
    Move {
        lead: String,
        observed: i64,
    },
    Forget {
        lead: String,
    },
    Stand {
        member: String,
        standing: Standing,
    },
}

/// A precondition.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The lead's revision, so many ago.
    Behind(i64),
    Owner(String),
    Unassigned,
}

/// What became of one lead or member, and whose the lead was.
pub type Done = (Outcome, Option<String>);

/// An answer: the revision and what became of each item, or the reason and the item it is about.
pub type Answer = Result<(i64, Vec<Result<Done, String>>), (String, usize)>;

/// A lead that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub owner: Option<String>,
    pub revision: i64,
    pub observed: i64,
}

/// The state of an account.
#[derive(Debug, Default)]
pub struct Model {
    pub revision: i64,
    pub leads: BTreeMap<String, Known>,
    pub members: BTreeMap<String, Standing>,
    /// Revision, ordinal, lead, kind, owner.
    pub log: Vec<(i64, i32, String, ChangeKind, Option<String>)>,
}

impl Model {
    /// Does what is asked, or says why not.
    pub fn run(&mut self, command: &Command) -> Answer {
        let (next, log) = (self.revision + 1, self.log.len());
        let done = match command {
            Command::Register { lead, owner } => vec![self.register(next, lead, owner)],
            Command::Assign { lead, owner, when } => vec![self.set((next, 0), lead, Some(owner), when.as_ref())],
            Command::Unassign { lead, when } => vec![self.set((next, 0), lead, None, when.as_ref())],
            Command::Bulk { items, skip_failed } => self.bulk(next, items, *skip_failed)?,
            Command::Move { lead, observed } => vec![self.observe(lead, *observed)],
            Command::Forget { lead } => vec![Ok(self.forget(next, lead))],
            Command::Stand { member, standing } => vec![Ok(self.stand(member, *standing))],
        };
        let single = !matches!(command, Command::Bulk { .. });
        if let (true, [Err(reason)]) = (single, done.as_slice()) {
            return Err((reason.clone(), 0));
        }
        let silent = [Outcome::Updated, Outcome::Registered];
        let changed = |done: &Result<Done, String>| done.as_ref().is_ok_and(|done| silent.contains(&done.0));
        if self.log.len() > log || done.iter().any(changed) {
            self.revision = next;
        }
        Ok((self.revision, done))
    }

    fn register(&mut self, next: i64, lead: &str, owner: &Option<String>) -> Result<Done, String> {
        if self.leads.contains_key(lead) {
            return Ok((Outcome::Unchanged, None));
        }
        owner.as_ref().map_or(Ok(()), |owner| self.eligible(owner))?;
        self.leads.insert(lead.to_owned(), Known { owner: owner.clone(), revision: next, observed: 0 });
        self.note((next, 0), lead, ChangeKind::Registered, owner.clone());
        Ok((Outcome::Registered, None))
    }

    fn set(
        &mut self,
        place: (i64, i32),
        lead: &str,
        owner: Option<&String>,
        when: Option<&Condition>,
    ) -> Result<Done, String> {
        let before = self.leads.get(lead).ok_or("LEAD_NOT_FOUND")?.clone();
        match when {
            Some(Condition::Behind(by)) if *by != 0 => return Err("REVISION_MISMATCH".to_owned()),
            Some(Condition::Owner(expected)) if before.owner.as_ref() != Some(expected) => {
                return Err("OWNER_MISMATCH".to_owned());
            }
            Some(Condition::Unassigned) if before.owner.is_some() => return Err("OWNER_MISMATCH".to_owned()),
            _ => {}
        }
        if before.owner.as_ref() == owner {
            return Ok((Outcome::Unchanged, before.owner));
        }
        owner.map_or(Ok(()), |owner| self.eligible(owner))?;
        let (outcome, kind) = match (&before.owner, owner) {
            (_, None) => (Outcome::Unassigned, ChangeKind::Unassigned),
            (None, _) => (Outcome::Assigned, ChangeKind::Assigned),
            _ => (Outcome::Reassigned, ChangeKind::Reassigned),
        };
        let known = Known { owner: owner.cloned(), revision: place.0, observed: before.observed };
        self.leads.insert(lead.to_owned(), known);
        self.note(place, lead, kind, owner.cloned());
        Ok((outcome, before.owner))
    }

    fn bulk(
        &mut self,
        next: i64,
        items: &[(String, Option<String>)],
        skip_failed: bool,
    ) -> Result<Vec<Result<Done, String>>, (String, usize)> {
        let (leads, log) = (self.leads.clone(), self.log.len());
        let mut done = Vec::new();
        for (lead, owner) in items {
            let ordinal = (self.log.len() - log) as i32;
            done.push(self.set((next, ordinal), lead, owner.as_ref(), None));
        }
        let bad = done.iter().position(Result::is_err);
        if let (Some(index), false) = (bad, skip_failed) {
            self.leads = leads;
            self.log.truncate(log);
            return Err((done[index].clone().unwrap_err(), index));
        }
        Ok(done)
    }

    fn observe(&mut self, lead: &str, observed: i64) -> Result<Done, String> {
        let known = self.leads.get_mut(lead).ok_or("LEAD_NOT_FOUND")?;
        let outcome = match observed.cmp(&known.observed) {
            std::cmp::Ordering::Less => Outcome::Stale,
            std::cmp::Ordering::Equal => Outcome::Unchanged,
            std::cmp::Ordering::Greater => Outcome::Updated,
        };
        known.observed = known.observed.max(observed);
        Ok((outcome, None))
    }

    fn forget(&mut self, next: i64, lead: &str) -> Done {
        match self.leads.remove(lead) {
            None => (Outcome::Unchanged, None),
            Some(_) => {
                self.note((next, 0), lead, ChangeKind::Forgotten, None);
                (Outcome::Forgotten, None)
            }
        }
    }

    fn stand(&mut self, member: &str, standing: Standing) -> Done {
        match self.members.insert(member.to_owned(), standing) {
            None => (Outcome::Registered, None),
            Some(_) => (Outcome::Updated, None),
        }
    }

    fn eligible(&self, owner: &str) -> Result<(), String> {
        let reason = match self.members.get(owner) {
            Some(Standing::Active) => return Ok(()),
            Some(Standing::Leaving) => "OWNER_LEAVING",
            Some(_) => "OWNER_INACTIVE",
            None => "OWNER_UNKNOWN",
        };
        Err(reason.to_owned())
    }

    fn note(&mut self, place: (i64, i32), lead: &str, kind: ChangeKind, owner: Option<String>) {
        self.log.push((place.0, place.1, lead.to_owned(), kind, owner));
    }
}
