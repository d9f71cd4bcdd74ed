//! The latest commits of an account, for those who watch: who is up to date needs no log.

use std::collections::VecDeque;
use std::sync::Arc;

use super::recorded::{PassedOn, Recorded, Stretch};
use crate::domain::book::memory::{COUNTERS, allocated, shared};
use crate::domain::fact::{Commit, Fact};
use crate::domain::ids::Revision;
use crate::domain::lead::Projection;
use crate::domain::member::Member;
use crate::domain::time::Timestamp;

/// Commits kept at most: about a second of the fastest account, which is what a watcher may fall behind before it reads the log.
const MAX_COMMITS: usize = 16_384;
/// Facts kept with them at most.
const MAX_FACTS: usize = 20_000;
/// Bytes they may take at most, and which share of the memory for all accounts.
const MAX_BYTES: usize = 16 * 1024 * 1024;
const SHARE: usize = 16;
/// Owners that the commits of a stretch change together, about.
const CHANGES: usize = 500;
/// A stretch ends at each multiple of it in any case. So those who began at different revisions soon read the same stretches.
const MILESTONE: i64 = 500;
/// Stretches that are kept for the next who stands where they begin, and which part of the bytes they may take.
const MAX_STRETCHES: usize = 16;
const PART: usize = 2;

/// The latest commits, without a gap.
#[derive(Debug)]
pub(super) struct Recent {
    commits: VecDeque<Arc<Recorded>>,
    facts: usize,
    heap: usize,
    /// What watchers may make of them, at most about. Counts towards the limit, whether there are watchers or not.
    to_pass_on: usize,
    /// What those who follow read last.
    stretches: VecDeque<Arc<Stretch>>,
    /// What watchers have made of them.
    passed_on: PassedOn,
    limit: usize,
}

impl Recent {
    /// None yet; later what fits into a share of the memory for all accounts.
    pub(super) fn within(budget: usize) -> Self {
        let limit = MAX_BYTES.min(budget / SHARE);
        Self {
            commits: VecDeque::new(),
            facts: 0,
            heap: 0,
            to_pass_on: 0,
            stretches: VecDeque::new(),
            passed_on: PassedOn::default(),
            limit,
        }
    }

    /// Bytes of memory they take, with what watchers have made of them.
    pub(super) fn bytes(&self) -> usize {
        self.own_bytes() + self.passed_on.bytes()
    }

    fn own_bytes(&self) -> usize {
        let read = self.stretches.iter().map(|stretch| stretch.commits().len()).sum::<usize>();
        (self.commits.capacity() + read) * size_of::<Arc<Recorded>>() + self.heap
    }

    /// Adds the next one, and drops the oldest ones beyond the limits. The last one stays, however large.
    pub(super) fn push(&mut self, commit: Commit) {
        let commit = Arc::new(Recorded::of(commit));
        self.facts += commit.facts.len();
        self.heap += heap_bytes(&commit);
        self.to_pass_on += bytes_to_pass_on(&commit);
        self.commits.push_back(commit);
        while self.is_too_much() && self.commits.len() > 1 {
            let Some(oldest) = self.commits.pop_front() else { return };
            self.facts -= oldest.facts.len();
            self.heap -= heap_bytes(&oldest);
            self.to_pass_on -= bytes_to_pass_on(&oldest);
        }
        self.let_go_of_stretches();
    }

    /// Lets go of what nobody can ask for any more: it would keep commits that are counted no longer.
    fn let_go_of_stretches(&mut self) {
        if let Some(first) = self.commits.front() {
            self.stretches.retain(|kept| kept.after().next() >= first.revision);
        }
    }

    fn is_too_much(&self) -> bool {
        self.commits.len() > MAX_COMMITS || self.facts > MAX_FACTS || self.own_bytes() + self.to_pass_on > self.limit
    }

    /// Drops all of them.
    pub(super) fn clear(&mut self) {
        *self = Self { limit: self.limit, ..Self::within(0) };
    }

    /// When a revision was made, if it is here.
    pub(super) fn made_at(&self, revision: Revision) -> Option<Timestamp> {
        let place = usize::try_from(revision.0 - self.commits.front()?.revision.0).ok()?;
        self.commits.get(place).map(|commit| commit.at)
    }

    /// The next ones after a revision, if all of them are here.
    pub(super) fn after(&mut self, after: Revision) -> Option<Arc<Stretch>> {
        let (first, last) = (self.commits.front()?.revision, self.commits.back()?.revision);
        if after.next() < first {
            return None;
        }
        let is_it = |stretch: &&Arc<Stretch>| stretch.after() == after && is_current(stretch, last);
        if let Some(known) = self.stretches.iter().rev().find(is_it) {
            return Some(Arc::clone(known));
        }
        let stretch = Arc::new(self.stretch(after, first, last));
        self.keep(&stretch, last);
        Some(stretch)
    }

    fn stretch(&self, after: Revision, first: Revision, last: Revision) -> Stretch {
        let skip = usize::try_from(after.0 + 1 - first.0).unwrap_or(usize::MAX);
        let (mut before, mut ended) = (0, false);
        let fits = |commit: &&Arc<Recorded>| {
            let fits = before < CHANGES && !ended;
            before += commit.owner_changes();
            ended = commit.revision.0 % MILESTONE == 0;
            fits
        };
        let commits: Vec<_> = self.commits.range(skip.min(self.commits.len())..).take_while(fits).cloned().collect();
        let goes_on = commits.last().is_some_and(|commit| commit.revision < last);
        Stretch::of(after, commits, goes_on, self.passed_on.clone())
    }

    /// Keeps a stretch for others who stand where it begins, in the place of those that have become too short or too old.
    fn keep(&mut self, stretch: &Arc<Stretch>, last: Revision) {
        self.stretches.retain(|kept| is_current(kept, last));
        self.stretches.push_back(Arc::clone(stretch));
        let bytes = |stretch: &Arc<Stretch>| stretch.commits().iter().map(|one| bytes_to_pass_on(one)).sum::<usize>();
        let mut kept: usize = self.stretches.iter().map(bytes).sum();
        while self.stretches.len() > MAX_STRETCHES || kept > self.limit / PART {
            let Some(oldest) = self.stretches.pop_front() else { return };
            kept -= bytes(&oldest);
        }
    }
}

/// Whether there is nothing more to read from where it begins than there was.
fn is_current(stretch: &Stretch, last: Revision) -> bool {
    stretch.goes_on() || stretch.until() == last
}

/// What a commit takes behind its pointer. Ids that it shares with others are counted with each: whoever lets go first is not
/// known here.
fn heap_bytes(commit: &Commit) -> usize {
    let Commit { revision: _, at: _, origin, facts } = commit;
    let batch = origin.batch.as_ref().map_or(0, |id| shared(id.as_str()));
    let member = origin.actor.member.as_ref().map_or(0, |id| shared(id.as_str()));
    allocated(COUNTERS + size_of::<Recorded>())
        + shared(origin.actor.caller.as_str())
        + batch
        + member
        + allocated(origin.reason.len())
        + allocated(facts.capacity() * size_of::<Fact>())
        + facts.iter().map(of_fact).sum::<usize>()
}

/// What a commit takes once it was passed on: each change then has a text of its own, with the reason that the commit has once.
fn bytes_to_pass_on(commit: &Recorded) -> usize {
    /// Ids, time and numbers of one change, about.
    const CHANGE: usize = 128;
    commit.owner_changes() * (CHANGE + commit.origin.reason.len())
}

fn of_fact(fact: &Fact) -> usize {
    let owner = match fact {
        Fact::Registered { owner, .. } => [owner.as_ref(), None],
        Fact::OwnerChanged { previous, owner, .. } => [previous.as_ref(), owner.as_ref()],
        Fact::Forgotten { previous, .. } => [previous.as_ref(), None],
        Fact::LeadUpdated { .. } | Fact::UnassignedOverdue { .. } => [None, None],
        Fact::MemberUpserted(_) | Fact::SettingsUpdated(_) => [None, None],
    };
    let owners = owner.into_iter().flatten().map(|id| shared(id.as_str())).sum::<usize>();
    let rest = match fact {
        Fact::Registered { projection, .. }
        | Fact::LeadUpdated { projection, .. }
        | Fact::UnassignedOverdue { projection, .. } => of_projection(projection),
        Fact::MemberUpserted(member) => of_member(member),
        Fact::SettingsUpdated(settings) => {
            let sender = settings.default_sender.as_ref();
            sender.map_or(0, |sender| allocated(sender.name.len()) + allocated(sender.email.len()))
        }
        Fact::OwnerChanged { .. } | Fact::Forgotten { .. } => 0,
    };
    fact.lead().map_or(0, |id| shared(id.as_str())) + owners + rest
}

fn of_projection(projection: &Projection) -> usize {
    allocated(projection.stage.len()) + allocated(projection.attributes.bytes())
}

fn of_member(member: &Member) -> usize {
    let texts = [&member.display_name, &member.initials, &member.email, &member.avatar_url];
    let manager = member.manager_id.as_ref().map_or(0, |id| shared(id.as_str()));
    shared(member.id.as_str()) + manager + texts.map(|text| allocated(text.len())).into_iter().sum::<usize>()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::ids::{CallerId, LeadId};

    const BUDGET: usize = 1 << 30;

    fn commit(revision: i64, facts: usize, reason: usize) -> Commit {
        let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
        let reason = "x".repeat(reason);
        let origin = Origin { actor, source: Source::Api, reason, batch: None, request: None };
        let fact = |number| Fact::Forgotten { lead: LeadId::parse(&format!("lead{number}")).unwrap(), previous: None };
        let facts = (0..facts).map(fact).collect();
        Commit { revision: Revision(revision), at: Timestamp(1), origin, facts }
    }

    fn pushed(budget: usize, commits: i64, facts: usize, reason: usize) -> Recent {
        let mut recent = Recent::within(budget);
        (1..=commits).for_each(|revision| recent.push(commit(revision, facts, reason)));
        recent
    }

    #[test]
    fn a_second_of_single_changes_is_kept() {
        let mut recent = pushed(BUDGET, 20_000, 1, 10);
        assert_eq!(recent.commits.len(), MAX_COMMITS);
        let oldest = Revision(20_000 - MAX_COMMITS as i64);
        assert!(recent.after(oldest).is_some());
        assert!(recent.after(Revision(oldest.0 - 1)).is_none(), "gone: the log has it");
        let made_at = [oldest, oldest.next(), Revision(20_000), Revision(20_001)].map(|of| recent.made_at(of));
        assert_eq!(made_at, [None, Some(Timestamp(1)), Some(Timestamp(1)), None]);
        let last = recent.after(Revision(19_999)).unwrap();
        assert_eq!((last.commits().len(), last.until()), (1, Revision(20_000)));
        assert!(recent.after(Revision(20_000)).unwrap().commits().is_empty());
    }

    /// The stretches from a revision on, until there is nothing more.
    fn stretches(recent: &mut Recent, mut after: Revision) -> Vec<Arc<Stretch>> {
        let mut all = Vec::new();
        loop {
            let stretch = recent.after(after).unwrap();
            after = stretch.until();
            all.push(stretch);
            if !all[all.len() - 1].goes_on() {
                return all;
            }
        }
    }

    #[test]
    fn those_who_read_on_from_different_places_soon_read_the_same_and_all_of_it() {
        let mut recent = pushed(BUDGET, 2_000, 1, 0);
        let (one, other) = (stretches(&mut recent, Revision(3)), stretches(&mut recent, Revision(400)));
        assert!(!Arc::ptr_eq(&one[0], &other[0]));
        for (all, after) in [(&one, 3), (&other, 400)] {
            let revisions = all.iter().flat_map(|stretch| stretch.commits()).map(|commit| commit.revision.0);
            assert!(revisions.eq(after + 1..=2_000));
            assert!(all.iter().all(|stretch| stretch.owner_changes() <= CHANGES));
        }
        let same = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert!(same >= other.len() - 2, "{same} of {}", other.len());
    }

    #[test]
    fn what_comes_next_is_read_by_those_who_had_read_everything() {
        let mut recent = pushed(BUDGET, 10, 1, 0);
        let before = recent.after(Revision(4)).unwrap();
        assert!(Arc::ptr_eq(&before, &recent.after(Revision(4)).unwrap()));
        recent.push(commit(11, 1, 0));
        let now = recent.after(Revision(4)).unwrap();
        assert_eq!((before.until(), now.until()), (Revision(10), Revision(11)));
        assert_eq!(recent.stretches.len(), 1, "nobody reads what has become too short");
    }

    #[test]
    fn stretches_of_large_commits_are_not_kept_beyond_their_part() {
        let mut recent = pushed(BUDGET, 18, 1_000, 512);
        assert_eq!(stretches(&mut recent, Revision(0)).len(), 18);
        let kept: usize = recent.stretches.iter().flat_map(|one| one.commits()).map(|one| bytes_to_pass_on(one)).sum();
        assert!(kept <= recent.limit / PART, "{kept}");
        assert!(!recent.stretches.is_empty());
    }

    #[test]
    fn bulks_are_kept_by_their_facts_and_the_last_one_in_any_case() {
        assert_eq!(pushed(BUDGET, 100, 1_000, 0).commits.len(), MAX_FACTS / 1_000);
        assert_eq!(pushed(BUDGET, 3, MAX_FACTS + 1, 0).commits.len(), 1);
    }

    #[test]
    fn what_is_large_is_kept_by_its_bytes_and_the_account_is_told_them() {
        let recent = pushed(1024 * 1024, 1_000, 1, 512);
        assert!(recent.bytes() <= 1024 * 1024 / SHARE, "{}", recent.bytes());
        assert!(recent.commits.len() > 20, "{}", recent.commits.len());
    }

    #[test]
    fn bytes_follow_what_comes_and_goes() {
        let mut recent = pushed(BUDGET, 1_000, 3, 20);
        let one = heap_bytes(&commit(1, 3, 20));
        assert_eq!(recent.bytes() - recent.commits.capacity() * size_of::<Arc<Recorded>>(), 1_000 * one);
        recent.clear();
        assert_eq!(recent.bytes(), 0);
        assert!(recent.after(Revision(1_000)).is_none());
    }

    #[test]
    fn what_watchers_made_is_counted_until_nobody_holds_it() {
        let mut recent = pushed(BUDGET, 1_000, 3, 20);
        let own = recent.bytes();
        let watched = recent.after(Revision(0)).unwrap();
        assert_eq!(watched.passed_on(|_| Bytes::from(vec![0; 100_000])).len(), 100_000);
        assert_eq!(watched.passed_on(|_| Bytes::new()).len(), 100_000, "made once");
        assert!(recent.bytes() >= own + 100_000, "{} after {own}", recent.bytes());
        recent.push(commit(1_001, MAX_FACTS, 0));
        assert!(recent.stretches.is_empty());
        assert!(recent.bytes() >= 100_000, "watchers hold it still");
        drop(watched);
        assert_eq!(recent.bytes(), recent.own_bytes());
    }
}
