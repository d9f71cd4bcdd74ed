//! Whose leads are which, in order, page by page.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::selection::{LeadFilter, OwnerSelector, Whose};
use crate::domain::book::Book;
use crate::domain::book::index::{Position, SortKey};
use crate::domain::book::ordered::{Ordered, Slot};
use crate::domain::book::shelf::Group;
use crate::domain::ids::LeadId;
use crate::domain::lead::LeadRef;
use crate::domain::member::Member;
use crate::domain::time::{TimeRange, Timestamp};

/// How many leads one page looks at, at most, to find those that a filter admits: readers share a book with its writer, and
/// a page that ends early costs its reader only another call.
const SCAN_BUDGET: usize = 20_000;

/// How much a page holds, about: with the cards of its owners it has to stay below the 4 MiB that clients accept.
const PAGE_BYTES: usize = 1024 * 1024;

/// Where a page ends: the place of the last lead that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its time in the order of the list.
    pub at: Timestamp,
    /// The lead.
    pub lead: LeadId,
}

/// A question for one page.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Whose leads.
    pub owner: OwnerSelector,
    /// Which of them.
    pub filter: LeadFilter,
    /// By what they are ordered.
    pub sort: SortKey,
    /// Last first.
    pub descending: bool,
    /// Where the page before ended.
    pub after: Option<Place>,
    /// How many at most.
    pub limit: usize,
}

/// One page.
#[derive(Debug)]
pub struct LeadPage<'a> {
    /// The leads.
    pub leads: Vec<LeadRef<'a>>,
    /// Where the next page goes on, if there may be one.
    pub next: Option<Place>,
}

type Slots<'a> = Box<dyn Iterator<Item = Slot> + 'a>;

impl Book {
    /// Answers a page. Looks at no more than a fixed number of leads, so it may hold fewer than asked for and still have a next.
    pub fn list(&self, query: &ListQuery) -> LeadPage<'_> {
        let mut page = LeadPage { leads: Vec::new(), next: None };
        let (mut last, mut bytes) = (None, 0);
        for (looked_at, slot) in self.in_order(query).enumerate() {
            if page.leads.len() == query.limit || looked_at == SCAN_BUDGET || bytes > PAGE_BYTES {
                page.next = last.and_then(|slot| self.place(slot, query.sort));
                break;
            }
            let row = self.leads.columns.rows.row(slot);
            if query.filter.admits(row) {
                page.leads.push(self.leads.columns.lead(slot));
                bytes += row.wire_bytes();
            }
            last = Some(slot);
        }
        page
    }

    /// How many leads there are on all pages. Walks over them unless only owner, stage and closed are asked about.
    pub fn total(&self, owner: &OwnerSelector, filter: &LeadFilter) -> usize {
        self.groups(owner, filter).map(|(_, group)| self.matching(group, filter)).sum()
    }

    /// How many leads of a group a filter admits.
    pub(super) fn matching(&self, group: &Group, filter: &LeadFilter) -> usize {
        if filter.admits_whole_groups() {
            return group.len();
        }
        let rows = &self.leads.columns.rows;
        let entered = self.leads.index.order(SortKey::StageEntered, rows).of(group);
        let before = |at: Timestamp| {
            entered.rank(|slot| rows.time(slot, SortKey::StageEntered).cmp(&at).then(Ordering::Greater))
        };
        let first = filter.stage_entered.start.map_or(0, before);
        let end = filter.stage_entered.end.map_or(group.len(), before).max(first);
        if filter.admits_all_but_stage_entered() {
            return end - first;
        }
        entered.ascending(|_| Ordering::Greater).filter(|slot| filter.admits(rows.row(*slot))).count()
    }

    /// The cards of the owners of some leads, each once, by id.
    pub fn owners_of<'a>(&'a self, owners: impl Iterator<Item = &'a str>) -> Vec<&'a Member> {
        let distinct: std::collections::BTreeSet<_> = owners.collect();
        distinct.into_iter().filter_map(|owner| self.member(owner)).collect()
    }

    fn place(&self, slot: Slot, sort: SortKey) -> Option<Place> {
        let (at, id) = self.leads.columns.rows.position(slot, sort);
        Some(Place { at, lead: LeadId::parse(id).ok()? })
    }

    /// The slots of all leads asked about in the order asked for, from where the page before ended.
    fn in_order<'a>(&'a self, query: &'a ListQuery) -> Slots<'a> {
        let (index, rows) = (&self.leads.index, &self.leads.columns.rows);
        if query.filter.admits_all_groups() {
            // One list instead of one for each stage, and each owner.
            return match query.owner.whose(&self.leads.columns.owners) {
                Whose::Anyones => self.walk(index.all(query.sort, rows), query),
                Whose::Of(owner) => self.walk(index.of_owner(owner, query.sort, rows), query),
                Whose::Nones => Box::new(std::iter::empty()),
            };
        }
        let order = index.order(query.sort, rows);
        let lists =
            self.groups(&query.owner, &query.filter).map(|(_, group)| self.walk(order.of(group), query)).collect();
        Box::new(Merge::new(lists, move |slot| rows.position(slot, query.sort), query.descending))
    }

    /// The slots of one list in the order asked for, within the span that the filter leaves of it.
    fn walk<'a>(&'a self, list: &'a Ordered, query: &'a ListQuery) -> Slots<'a> {
        let span = query.filter.span_of(query.sort);
        let position = move |slot: Slot| self.leads.columns.rows.position(slot, query.sort);
        let after = query.after.as_ref().map(|place| (place.at, place.lead.as_str()));
        if query.descending {
            // From the end of the span, or the place where the page before ended, whichever comes first.
            let end = span.end.map(|end| (end, ""));
            let below = end.into_iter().chain(after).min();
            let seek = move |slot: Slot| below.map_or(Ordering::Less, |below| position(slot).cmp(&below));
            Box::new(
                list.descending(seek).take_while(move |slot| span.start.is_none_or(|start| position(*slot).0 >= start)),
            )
        } else {
            let start = span.start.map(|start| (start, ""));
            let seek = move |slot: Slot| {
                let at = position(slot);
                let early = start.is_some_and(|start| at < start) || after.is_some_and(|after| at <= after);
                if early { Ordering::Less } else { Ordering::Greater }
            };
            Box::new(list.ascending(seek).take_while(move |slot| span.end.is_none_or(|end| position(*slot).0 < end)))
        }
    }
}

impl LeadFilter {
    /// The span of the sort key outside of which nothing matches.
    fn span_of(&self, sort: SortKey) -> TimeRange {
        match sort {
            SortKey::Created => self.created,
            SortKey::Assigned => self.assigned,
            SortKey::StageEntered => self.stage_entered,
            SortKey::LeadId => TimeRange::default(),
        }
    }
}

/// Several ordered lists as one.
struct Merge<'a, P> {
    lists: Vec<Slots<'a>>,
    heap: BinaryHeap<Reverse<Head<'a>>>,
    position: P,
}

/// The first slot of a list that has not been handed out.
#[derive(PartialEq, Eq)]
struct Head<'a> {
    position: Position<'a>,
    descending: bool,
    slot: Slot,
    list: usize,
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.position.cmp(&other.position);
        if self.descending { order.reverse() } else { order }
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a, P: Fn(Slot) -> Position<'a>> Merge<'a, P> {
    fn new(mut lists: Vec<Slots<'a>>, position: P, descending: bool) -> Self {
        let first = |(list, slots): (usize, &mut Slots<'a>)| {
            slots.next().map(|slot| Reverse(Head { position: position(slot), descending, slot, list }))
        };
        let heap = lists.iter_mut().enumerate().filter_map(first).collect();
        Self { lists, heap, position }
    }
}

impl<'a, P: Fn(Slot) -> Position<'a>> Iterator for Merge<'a, P> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let mut top = self.heap.peek_mut()?;
        let Reverse(Head { slot: taken, list, descending, .. }) = *top;
        match self.lists[list].next() {
            // In the place of the one before: it sinks to where it belongs, and nearly always not far.
            Some(slot) => *top = Reverse(Head { position: (self.position)(slot), descending, slot, list }),
            None => drop(PeekMut::pop(top)),
        }
        Some(taken)
    }
}
