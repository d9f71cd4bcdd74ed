//! The book against a plain list of leads that is filtered, sorted and counted anew for every question.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::query::{LeadFilter, ListQuery, OwnerSelector};
use super::{Book, Snapshot, SortKey};
use crate::domain::actor::{Actor, Origin, Source};
use crate::domain::fact::{Commit, Fact};
use crate::domain::ids::{CallerId, LeadId, MemberId, Revision};
use crate::domain::lead::{Lead, Ownership, Projection};
use crate::domain::time::{TimeRange, Timestamp};

const STAGES: [&str; 3] = ["", "Prospecting", "Won"];

fn lead_id(number: u8) -> LeadId {
    LeadId::parse(&format!("lead{number}")).unwrap()
}

fn owner(number: u8) -> Option<MemberId> {
    (number > 0).then(|| MemberId::parse(&format!("m{number}")).unwrap())
}

fn changed(lead: LeadId, previous: Option<MemberId>, owner: Option<MemberId>) -> Fact {
    Fact::OwnerChanged { lead, previous, owner, notify: false }
}

fn origin() -> Origin {
    let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
    Origin { actor, source: Source::Api, reason: String::new(), batch: None, request: None }
}

fn projection(stage: usize, closed: bool, created: i64, entered: i64) -> Projection {
    Projection {
        stage: STAGES[stage].to_owned(),
        stage_entered_at: Timestamp(entered),
        closed,
        created_at: Timestamp(created),
        source: if created % 2 == 0 { Source::Api } else { Source::Form },
        attributes: (0..created).map(|number| (format!("a{number}"), format!("{entered}"))).collect(),
        observed_at: Timestamp(0),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put {
        lead: u8,
        owner: u8,
        stage: usize,
        closed: bool,
        created: i64,
        entered: i64,
    },
    Assign {
        lead: u8,
        owner: u8,
    },
    Forget {
        lead: u8,
    },
    /// Others are told that nobody owns it.
    Tell {
        lead: u8,
    },
    /// Which leads wait is kept from when it is first asked.
    AskWaiting,
    /// An order that is asked for is kept from then on.
    Ask {
        owner: OwnerSelector,
        sort: SortKey,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let put = (0..40_u8, 0..4_u8, 0..3_usize, any::<bool>(), 0..6_i64, 0..6_i64).prop_map(
        |(lead, owner, stage, closed, created, entered)| Step::Put { lead, owner, stage, closed, created, entered },
    );
    let assign = (0..40_u8, 0..4_u8).prop_map(|(lead, owner)| Step::Assign { lead, owner });
    let forget = (0..40_u8).prop_map(|lead| Step::Forget { lead });
    let tell = (0..40_u8).prop_map(|lead| Step::Tell { lead });
    let ask = (selector(), sort()).prop_map(|(owner, sort)| Step::Ask { owner, sort });
    prop_oneof![8 => put, 6 => assign, 2 => forget, 4 => tell, 1 => ask, 1 => Just(Step::AskWaiting)]
}

fn all_of(owner: OwnerSelector, sort: SortKey) -> ListQuery {
    ListQuery { owner, filter: LeadFilter::default(), sort, descending: false, after: None, limit: 1_000 }
}

/// A book and a list of leads that went through the same steps.
fn after(steps: &[Step]) -> (Book, BTreeMap<LeadId, Lead>) {
    let (mut book, mut leads) = (Book::default(), BTreeMap::new());
    proceed(&mut book, &mut leads, steps);
    (book, leads)
}

fn proceed(book: &mut Book, leads: &mut BTreeMap<LeadId, Lead>, steps: &[Step]) {
    for step in steps {
        let fact = match step.clone() {
            Step::Put { lead, owner: to, stage, closed, created, entered } => {
                let projection = projection(stage, closed, created, entered);
                let lead = lead_id(lead);
                if leads.contains_key(&lead) {
                    Fact::LeadUpdated { lead, projection }
                } else {
                    Fact::Registered { lead, owner: owner(to), notify: false, projection }
                }
            }
            Step::Assign { lead, owner: to } => {
                let Some(known) = leads.get(&lead_id(lead)) else { continue };
                changed(lead_id(lead), known.ownership.owner.clone(), owner(to))
            }
            Step::Ask { owner, sort } => {
                book.list(&all_of(owner, sort));
                continue;
            }
            Step::AskWaiting => {
                waiting(book, Timestamp(0));
                continue;
            }
            Step::Tell { lead } => {
                let Some(known) = leads.get(&lead_id(lead)).filter(|lead| lead.as_ref().waits()) else { continue };
                let Ownership { since, revision: ownership, .. } = known.ownership;
                Fact::UnassignedOverdue { lead: lead_id(lead), since, ownership, projection: known.projection.clone() }
            }
            Step::Forget { lead } => {
                let Some(known) = leads.get(&lead_id(lead)) else { continue };
                Fact::Forgotten { lead: lead_id(lead), previous: known.ownership.owner.clone() }
            }
        };
        let revision = book.revision().next();
        // Several revisions share a time, so that orders by time have ties.
        let commit = Commit { revision, at: Timestamp(revision.0 / 4), origin: origin(), facts: vec![fact] };
        book.apply(&commit).unwrap();
        let (fact, id) = (&commit.facts[0], commit.facts[0].lead().unwrap().clone());
        match Lead::after(leads.remove(&id), fact, revision, commit.at) {
            Some(lead) => drop(leads.insert(id, lead)),
            None => drop(leads.remove(&id)),
        }
    }
}

/// The leads that have waited since some moment after this one.
fn waiting(book: &Book, since: Timestamp) -> Vec<String> {
    book.leads.waiting_after(since).map(|lead| lead.id.to_owned()).collect()
}

fn span() -> impl Strategy<Value = TimeRange> {
    (proptest::option::of(0..6_i64), proptest::option::of(0..8_i64))
        .prop_map(|(start, end)| TimeRange { start: start.map(Timestamp), end: end.map(Timestamp) })
}

prop_compose! {
    fn filter()(
        stages in proptest::collection::vec(0..3_usize, 0..3),
        closed in proptest::option::of(any::<bool>()),
        created in span(), assigned in span(), stage_entered in span(),
        form_only in any::<bool>(),
    ) -> LeadFilter {
        LeadFilter {
            stages: stages.into_iter().map(|stage| STAGES[stage].to_owned()).collect::<BTreeSet<_>>().into_iter().collect(),
            closed, created, assigned, stage_entered,
            sources: if form_only { vec![Source::Form] } else { Vec::new() },
        }
    }
}

fn selector() -> impl Strategy<Value = OwnerSelector> {
    let member = (1..5_u8).prop_map(|number| OwnerSelector::Member(owner(number).unwrap()));
    prop_oneof![member, Just(OwnerSelector::Unassigned), Just(OwnerSelector::Any)]
}

fn sort() -> impl Strategy<Value = SortKey> {
    prop_oneof![Just(SortKey::Created), Just(SortKey::Assigned), Just(SortKey::StageEntered), Just(SortKey::LeadId)]
}

fn wanted(lead: &Lead, owner: &OwnerSelector, filter: &LeadFilter) -> bool {
    let Lead { ownership, projection, overdue: _ } = lead;
    let owned = match owner {
        OwnerSelector::Any => true,
        OwnerSelector::Unassigned => ownership.owner.is_none(),
        OwnerSelector::Member(member) => ownership.owner.as_ref() == Some(member),
    };
    owned
        && (filter.stages.is_empty() || filter.stages.contains(&projection.stage))
        && filter.closed.is_none_or(|closed| closed == projection.closed)
        && filter.created.contains(projection.created_at)
        && filter.assigned.contains(ownership.since)
        && filter.stage_entered.contains(projection.stage_entered_at)
        && (filter.sources.is_empty() || filter.sources.contains(&projection.source))
}

fn key(lead: &Lead, sort: SortKey) -> (Timestamp, LeadId) {
    let at = match sort {
        SortKey::Created => lead.projection.created_at,
        SortKey::Assigned => lead.ownership.since,
        SortKey::StageEntered => lead.projection.stage_entered_at,
        SortKey::LeadId => Timestamp(0),
    };
    (at, lead.ownership.lead.clone())
}

proptest! {
    #[test]
    fn pages_of_any_size_make_up_the_filtered_and_sorted_list(
        steps in proptest::collection::vec(step(), 0..200),
        owner in selector(), filter in filter(), sort in sort(), descending in any::<bool>(), limit in 1..8_usize,
    ) {
        let (book, leads) = after(&steps);
        let mut expected: Vec<_> = leads.into_values().filter(|lead| wanted(lead, &owner, &filter)).collect();
        expected.sort_by_key(|lead| key(lead, sort));
        if descending {
            expected.reverse();
        }
        prop_assert_eq!(book.total(&owner, &filter), expected.len());
        let mut query = ListQuery { owner, filter, sort, descending, after: None, limit };
        let mut listed = Vec::new();
        loop {
            let page = book.list(&query);
            prop_assert!(page.leads.len() <= limit);
            listed.extend(page.leads.into_iter().map(|lead| lead.to_lead().unwrap()));
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        prop_assert_eq!(listed, expected);
    }

    #[test]
    fn counts_are_those_of_the_list(steps in proptest::collection::vec(step(), 0..200), filter in filter()) {
        let (book, leads) = after(&steps);
        let mut expected = BTreeMap::<_, BTreeMap<_, (usize, usize)>>::from([(None, BTreeMap::new())]);
        let mut oldest = BTreeMap::new();
        for lead in leads.values().filter(|lead| wanted(lead, &OwnerSelector::Any, &filter)) {
            let Lead { ownership, projection, overdue: _ } = lead;
            let stages = expected.entry(ownership.owner.clone()).or_default();
            let (open, closed) = stages.entry(projection.stage.clone()).or_default();
            *(if projection.closed { closed } else { open }) += 1;
            let since = oldest.entry(ownership.owner.clone()).or_insert(ownership.since);
            *since = ownership.since.min(*since);
        }
        let counts = book.count(&filter, &[]);
        let counted: BTreeMap<_, BTreeMap<_, _>> = counts
            .iter()
            .map(|(owner, count)| {
                let stages = count.stages.iter().map(|(stage, count)| ((*stage).to_owned(), (count.open, count.closed)));
                (owner.map(|owner| MemberId::parse(owner).unwrap()), stages.collect())
            })
            .collect();
        prop_assert_eq!(counted, expected);
        for (owner, count) in counts {
            let owner = owner.map(|owner| MemberId::parse(owner).unwrap());
            prop_assert_eq!(count.oldest, oldest.get(&owner).copied());
        }
    }

    #[test]
    fn those_who_wait_are_the_open_ones_without_an_owner(steps in proptest::collection::vec(step(), 0..200)) {
        let (book, leads) = after(&steps);
        let waiting: Vec<_> = leads.values().filter(|lead| lead.ownership.owner.is_none() && !lead.projection.closed).collect();
        prop_assert_eq!(book.unassigned(), waiting.len());
        prop_assert_eq!(book.snapshot().unassigned_since(), waiting.iter().map(|lead| lead.ownership.since).min());
    }

    #[test]
    fn those_wait_who_are_open_and_owned_by_nobody_and_not_told_of(
        steps in proptest::collection::vec(step(), 0..200), since in 0..50_i64,
    ) {
        let (book, leads) = after(&steps);
        let mut expected: Vec<_> = leads
            .into_values()
            .filter(|lead| lead.ownership.owner.is_none() && !lead.projection.closed && !lead.overdue)
            .filter(|lead| lead.ownership.since > Timestamp(since))
            .collect();
        expected.sort_by_key(|lead| key(lead, SortKey::Assigned));
        let expected: Vec<_> = expected.iter().map(|lead| lead.ownership.lead.as_str()).collect();
        prop_assert_eq!(waiting(&book, Timestamp(since)), expected);
    }

    #[test]
    fn every_lead_is_found_as_it_was_put(steps in proptest::collection::vec(step(), 0..200)) {
        let (book, leads) = after(&steps);
        for number in 0..40 {
            let id = lead_id(number);
            prop_assert_eq!(book.lead(id.as_str()), leads.get(&id).map(Lead::as_ref));
        }
    }

    #[test]
    fn a_snapshot_stays_as_it_was(before in proptest::collection::vec(step(), 0..100), then in proptest::collection::vec(step(), 0..100)) {
        let all = LeadFilter::default();
        let (mut book, leads) = after(&before);
        let snapshot = book.snapshot();
        let taken = snapshot.clone();
        proceed(&mut book, &mut leads.clone(), &then);
        let read = |snapshot: &Snapshot| {
            let leads = (0..snapshot.parts()).flat_map(|part| snapshot.part(part, &all).collect::<Vec<_>>());
            leads.map(|(lead, key)| (lead.to_owned(), key)).collect::<BTreeMap<_, _>>()
        };
        prop_assert_eq!(snapshot.revision(), taken.revision());
        let owners: BTreeMap<_, _> = read(&snapshot).into_iter().map(|(lead, key)| (lead, snapshot.owner(key).map(str::to_owned))).collect();
        let expected: BTreeMap<_, _> = leads.values().map(Lead::as_ref).map(|lead| (lead.id.to_owned(), lead.owner.map(str::to_owned))).collect();
        prop_assert_eq!(owners, expected);
    }

    #[test]
    fn a_book_that_is_emptied_again_keeps_no_lead_in_any_index(steps in proptest::collection::vec(step(), 0..100)) {
        let (mut book, leads) = after(&steps);
        for (lead, known) in leads {
            let facts = vec![Fact::Forgotten { lead, previous: known.ownership.owner }];
            let commit = Commit { revision: book.revision().next(), at: Timestamp(99), origin: origin(), facts };
            book.apply(&commit).unwrap();
        }
        prop_assert_eq!(book.leads.index.groups().count(), 0);
        prop_assert!(book.leads.bytes() < 100_000, "{} bytes", book.leads.bytes());
        prop_assert_eq!(book.total(&OwnerSelector::Any, &LeadFilter::default()), 0);
    }
}

#[test]
fn a_commit_that_is_known_is_ignored_and_one_that_is_missing_is_noticed() {
    let mut book = Book::at(Revision(5));
    let commit =
        |revision| Commit { revision: Revision(revision), at: Timestamp(1), origin: origin(), facts: Vec::new() };
    assert_eq!(book.apply(&commit(5)), Ok(()));
    assert!(book.apply(&commit(7)).is_err());
    assert_eq!(book.apply(&commit(6)), Ok(()));
    assert_eq!(book.revision(), Revision(6));
}

#[test]
fn a_commit_that_lacks_what_it_builds_on_changes_nothing() {
    let (lead, anna, ben) = (lead_id(1), owner(1), owner(2));
    let mut book = Book::default();
    let mut apply = |revision, facts| {
        book.apply(&Commit { revision: Revision(revision), at: Timestamp(1), origin: origin(), facts }).is_ok()
    };
    let registered = |number| {
        let projection = projection(0, false, 1, 1);
        Fact::Registered { lead: lead_id(number), owner: None, notify: false, projection }
    };
    assert!(apply(1, vec![registered(1)]));
    assert!(!apply(2, vec![registered(2), registered(1)]), "known already");
    let unknown = changed(lead_id(9), None, anna.clone());
    assert!(!apply(2, vec![unknown]), "not known");
    let missed = changed(lead.clone(), ben, anna.clone());
    assert!(!apply(2, vec![missed]), "owned by somebody else");
    assert!(apply(2, vec![changed(lead.clone(), None, anna)]));
    assert!(!apply(3, vec![Fact::Forgotten { lead: lead.clone(), previous: None }]));
    assert_eq!((book.revision(), book.lead(lead.as_str()).unwrap().owner), (Revision(2), Some("m1")));
    assert_eq!(book.lead(lead_id(2).as_str()), None);
}
