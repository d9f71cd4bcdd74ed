//! From commits to events: one for each revision, several whole revisions in one when there are more, and a large one in
//! fragments.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::event::{Event, Format, Part, Place};
use crate::domain::change::changes_of;
use crate::domain::fact::Commit;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;

/// Changes in one event, at most.
const MAX_CHANGES: usize = 500;
/// Bytes of changes in one event, at most. One change is far below that.
const MAX_BYTES: usize = 256 * 1024;

/// Packs the commits of an account.
#[derive(Debug)]
pub(super) struct Packer {
    account: AccountId,
    history: Arc<str>,
    format: Format,
    place: Place,
    ready: Vec<Event>,
    open: Option<Open>,
}

/// An event that more may come to.
#[derive(Debug)]
struct Open {
    first: Revision,
    last: Revision,
    last_ordinal: i32,
    at: Timestamp,
    count: usize,
    changes: BytesMut,
}

/// Some changes of one commit.
struct Piece {
    last_ordinal: i32,
    count: usize,
    changes: BytesMut,
}

impl Packer {
    /// Packs what comes after a place.
    pub(super) fn after(place: Place, account: AccountId, history: Arc<str>, format: Format) -> Self {
        Self { account, history, format, place, ready: Vec::new(), open: None }
    }

    /// Adds the next commit. One that changes no owner leaves no trace.
    pub(super) fn add(&mut self, commit: &Commit) {
        let pieces = self.pieces(commit);
        match pieces.len() {
            0 => {}
            1 if self.part_of(commit).is_none() => pieces.into_iter().for_each(|piece| self.add_whole(commit, piece)),
            _ => self.add_fragments(commit, pieces),
        }
    }

    /// The events of what was added since. The last one ends with the last commit.
    pub(super) fn take(&mut self) -> Vec<Event> {
        self.close();
        std::mem::take(&mut self.ready)
    }

    /// Leaves out what lies before a revision, since nobody has it any more. What follows says that it follows that.
    pub(super) fn skip_to(&mut self, revision: Revision) {
        self.close();
        self.place = Place::after(revision);
    }

    /// The changes of a commit that are not published, in pieces that fit into an event.
    fn pieces(&self, commit: &Commit) -> Vec<Piece> {
        let part = self.part_of(commit);
        let mut pieces: Vec<Piece> = Vec::new();
        for change in changes_of(commit).filter(|change| part.is_none_or(|part| change.ordinal > part.ordinal)) {
            let ordinal = change.ordinal;
            let mut changes = BytesMut::new();
            match pieces.last_mut().filter(|piece| piece.count < MAX_CHANGES) {
                Some(piece) => {
                    let before = piece.changes.len();
                    (self.format.change)(change, &mut piece.changes);
                    if piece.changes.len() <= MAX_BYTES {
                        piece.count += 1;
                        piece.last_ordinal = ordinal;
                        continue;
                    }
                    changes = piece.changes.split_off(before);
                }
                None => (self.format.change)(change, &mut changes),
            }
            pieces.push(Piece { last_ordinal: ordinal, count: 1, changes });
        }
        pieces
    }

    /// The part of a commit that is published already.
    fn part_of(&self, commit: &Commit) -> Option<Part> {
        self.place.part.filter(|_| commit.revision == self.place.revision)
    }

    fn add_whole(&mut self, commit: &Commit, piece: Piece) {
        let fits = |open: &Open| {
            open.count + piece.count <= MAX_CHANGES && open.changes.len() + piece.changes.len() <= MAX_BYTES
        };
        if !self.open.as_ref().is_some_and(fits) {
            self.close();
        }
        let Piece { last_ordinal, count, changes } = piece;
        let (first, last, at) = (commit.revision, commit.revision, commit.at);
        match &mut self.open {
            Some(open) => {
                open.changes.extend_from_slice(&changes);
                (open.last, open.last_ordinal, open.at, open.count) = (last, last_ordinal, at, open.count + count);
            }
            None => self.open = Some(Open { first, last, last_ordinal, at, count, changes }),
        }
    }

    fn add_fragments(&mut self, commit: &Commit, pieces: Vec<Piece>) {
        self.close();
        let published = self.part_of(commit);
        let before = published.map_or(0, |part| part.fragment);
        let fragments = before + i32::try_from(pieces.len()).unwrap_or(i32::MAX);
        let previous = published.map_or(self.place.revision, |part| part.previous);
        for (fragment, Piece { last_ordinal, changes, .. }) in (before + 1..).zip(pieces) {
            let event = self.event(previous, (commit.revision, commit.revision), commit.at, changes.freeze());
            self.push(Event { last_ordinal, fragment, fragments, ..event });
        }
    }

    fn close(&mut self) {
        if let Some(Open { first, last, last_ordinal, at, count: _, changes }) = self.open.take() {
            let event = self.event(self.place.revision, (first, last), at, changes.freeze());
            self.push(Event { last_ordinal, ..event });
        }
    }

    fn event(&self, previous: Revision, (first, last): (Revision, Revision), at: Timestamp, changes: Bytes) -> Event {
        let (account, history) = (self.account.clone(), Arc::clone(&self.history));
        Event { account, history, previous, first, last, last_ordinal: 0, fragment: 1, fragments: 1, at, changes }
    }

    fn push(&mut self, event: Event) {
        self.place = Place::behind(&event);
        self.ready.push(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::change::OwnerChange;
    use crate::domain::fact::Fact;
    use crate::domain::ids::{CallerId, LeadId};
    use crate::domain::settings::Settings;

    fn commit(revision: i64, leads: usize) -> Commit {
        let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
        let origin = Origin { actor, source: Source::Api, reason: String::new(), batch: None, request: None };
        let fact = |lead| Fact::Forgotten { lead: LeadId::parse(&format!("L{lead}")).unwrap(), previous: None };
        let facts =
            if leads == 0 { vec![Fact::SettingsUpdated(Settings::default())] } else { (0..leads).map(fact).collect() };
        Commit { revision: Revision(revision), at: Timestamp(revision), origin, facts }
    }

    /// Writes a change as so many bytes.
    fn format<const BYTES: usize>() -> Format {
        fn put<const BYTES: usize>(change: OwnerChange, changes: &mut BytesMut) {
            changes.resize(changes.len() + BYTES, u8::try_from(change.ordinal % 251).unwrap());
        }
        Format { data: "test", change: put::<BYTES>, event: |event| event.changes.clone() }
    }

    fn pack<const BYTES: usize>(place: Place, commits: &[Commit]) -> Vec<Event> {
        let mut packer = Packer::after(place, AccountId::parse("a").unwrap(), "h".into(), format::<BYTES>());
        commits.iter().for_each(|commit| packer.add(commit));
        packer.take()
    }

    type Shape = (i64, i64, i64, (i32, i32), usize);

    /// Previous, first and last revision, which fragment of how many, and how many changes of one byte.
    fn shape(events: &[Event]) -> Vec<Shape> {
        let shape = |event: &Event| {
            let Event { previous, first, last, fragment, fragments, changes, .. } = event;
            (previous.0, first.0, last.0, (*fragment, *fragments), changes.len())
        };
        events.iter().map(shape).collect()
    }

    #[test]
    fn whole_revisions_share_an_event_up_to_its_limit_and_the_chain_skips_those_without_changes() {
        let commits = [commit(4, 100), commit(5, 0), commit(6, 399), commit(7, 1), commit(8, 1)];
        let events = pack::<1>(Place::after(Revision(2)), &commits);
        assert_eq!(shape(&events), [(2, 4, 7, (1, 1), 500), (7, 8, 8, (1, 1), 1)]);
        assert!(pack::<1>(Place::after(Revision(2)), &[commit(3, 0)]).is_empty());
    }

    #[test]
    fn a_large_revision_comes_in_fragments_of_its_own() {
        let commits = [commit(1, 1), commit(2, 1_000), commit(3, 1)];
        let expected = [(0, 1, 1, (1, 1), 1), (1, 2, 2, (1, 2), 500), (1, 2, 2, (2, 2), 500), (2, 3, 3, (1, 1), 1)];
        assert_eq!(shape(&pack::<1>(Place::default(), &commits)), expected);
    }

    #[test]
    fn what_is_large_by_its_bytes_comes_in_fragments_too() {
        let events = pack::<1024>(Place::default(), &[commit(1, 300), commit(2, 1)]);
        let kib = |shape: &Shape| (shape.3, shape.4 / 1024);
        assert_eq!(shape(&events).iter().map(kib).collect::<Vec<_>>(), [((1, 2), 256), ((2, 2), 44), ((1, 1), 1)]);
    }

    #[test]
    fn whoever_goes_on_after_any_event_makes_the_rest_as_it_was_made_before() {
        let commits = [commit(1, 3), commit(3, 1_100), commit(4, 600), commit(6, 2), commit(7, 499)];
        let all = pack::<1>(Place::after(Revision(0)), &commits);
        assert_eq!(all.len(), 8);
        for (done, event) in all.iter().enumerate() {
            let place = Place::behind(event);
            let rest: Vec<_> = commits.iter().filter(|commit| commit.revision > place.whole()).cloned().collect();
            assert_eq!(pack::<1>(place, &rest), all[done + 1..], "after {:?}", shape(&all)[done]);
        }
    }
}
