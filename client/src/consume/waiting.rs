//! What has come and is not in the table yet: fragments that wait for the rest of their revision, and overdue leads, which the log does
//! not have.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::delivery::Delivery;
use super::event::{Event, Told};
use super::handler::Position;

/// What waits, by account and revision.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<String, BTreeMap<i64, Fragments>>);

/// What an event comes to, together with what is there of its revision.
pub(super) enum Gathered<'a> {
    /// It is whole.
    Whole(Cow<'a, Event>),
    /// The rest is to come.
    More,
    /// It has come again, and the rest is still to come.
    Again,
    /// The rest did not come in its order or in time. The log has all of it.
    InTheLog,
}

impl Waiting {
    /// Keeps a fragment, and an event that only the stream has, until what it says is in the table.
    pub(super) fn gather<'a>(&mut self, event: &'a Event, delivery: &Arc<Delivery>) -> Gathered<'a> {
        let in_the_log = matches!(event.told, Told::Changes(_));
        if in_the_log && event.fragments == 1 {
            return Gathered::Whole(Cow::Borrowed(event));
        }
        let fragments = self.of(event);
        let follows = fragments.0.keys().copied().eq(1..event.fragment);
        let again = fragments.0.insert(event.fragment, (event.clone(), Arc::clone(delivery))).is_some();
        match fragments.whole() {
            Some(whole) => Gathered::Whole(Cow::Owned(whole)),
            None if in_the_log && !follows => Gathered::InTheLog,
            None if again => Gathered::Again,
            None => Gathered::More,
        }
    }

    /// The first event after a position, up to a revision, that is here as a whole and that the log does not have.
    pub(super) fn only_here(&self, account_id: &str, after: &Position, until: i64) -> Option<Event> {
        let missing = self.0.get(account_id)?.iter().filter(|(last, _)| after.revision < **last && **last <= until);
        let mut whole = missing.filter_map(|(_, fragments)| fragments.whole());
        whole.find(|event| event.previous.history_id == after.history_id && matches!(event.told, Told::Overdue(_)))
    }

    /// Lets go of what is in the table now; returns its messages.
    pub(super) fn take_until(&mut self, account_id: &str, revision: i64) -> Vec<Arc<Delivery>> {
        let Some(waiting) = self.0.get_mut(account_id) else { return Vec::new() };
        let seen = waiting.extract_if(..=revision, |_, _| true).flat_map(|(_, fragments)| fragments.0.into_values());
        let deliveries = seen.map(|(_, delivery)| delivery).collect();
        if waiting.is_empty() {
            self.0.remove(account_id);
        }
        deliveries
    }

    /// Lets go of a message that is not waited for any more.
    pub(super) fn forget(&mut self, sequence: u64) {
        self.0.retain(|_, waiting| {
            waiting.retain(|_, fragments| {
                fragments.0.retain(|_, (_, delivery)| delivery.sequence != sequence);
                !fragments.0.is_empty()
            });
            !waiting.is_empty()
        });
    }

    /// What is there of an event's revision. The same number in another history is another revision.
    fn of(&mut self, event: &Event) -> &mut Fragments {
        let fragments = self.0.entry(event.account_id.clone()).or_default().entry(event.last).or_default();
        if !fragments.are_of(&event.previous.history_id) {
            *fragments = Fragments::default();
        }
        fragments
    }
}

/// Fragments of a revision, by their numbers.
#[derive(Debug, Default)]
struct Fragments(BTreeMap<i32, (Event, Arc<Delivery>)>);

impl Fragments {
    /// The event that they are, if all are there. They stay: should the handler fail, some of them alone come again.
    fn whole(&self) -> Option<Event> {
        let (last, _) = self.0.values().next_back()?;
        if !self.0.keys().copied().eq(1..=last.fragments) {
            return None;
        }
        let mut events = self.0.values().map(|(event, _)| event);
        let mut whole = Event { fragment: 1, fragments: 1, ..events.next()?.clone() };
        events.for_each(|event| whole.told.extend(event.told.clone()));
        Some(whole)
    }

    fn are_of(&self, history_id: &str) -> bool {
        self.0.values().all(|(event, _)| event.previous.history_id == history_id)
    }
}

impl Told {
    /// Adds what the next fragment tells, which is of the same kind.
    fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::Changes(all), Self::Changes(more)) => all.extend(more),
            (Self::Overdue(all), Self::Overdue(more)) => all.extend(more),
            (all, more) => *all = more,
        }
    }
}
