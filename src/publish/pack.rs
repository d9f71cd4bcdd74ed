//! From commits to events: one for each revision, several whole revisions in one when there are more, and a large one in
//! fragments.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::event::{Event, Format, Part, Place};
use crate::domain::fact::Commit;
use crate::domain::ids::{AccountId, Revision};
use crate::domain::intent::intents_of;
use crate::domain::published::{Topic, items_of};
use crate::domain::time::Timestamp;

/// Items in one event, at most.
const MAX_ITEMS: usize = 500;
/// Bytes of them in one event, at most, about: who is to be told comes on top. One item is far below that.
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
    topic: Topic,
    first: Revision,
    last: Revision,
    last_ordinal: i32,
    at: Timestamp,
    count: usize,
    content: BytesMut,
}

/// Some items of one commit.
struct Piece {
    topic: Topic,
    last_ordinal: i32,
    count: usize,
    content: BytesMut,
}

impl Packer {
    /// Packs what comes after a place.
    pub(super) fn after(place: Place, account: AccountId, history: Arc<str>, format: Format) -> Self {
        Self { account, history, format, place, ready: Vec::new(), open: None }
    }

    /// Adds the next commit. One that nobody is to hear of leaves no trace.
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

    /// The items of a commit that are not published, in pieces that fit into an event.
    fn pieces(&self, commit: &Commit) -> Vec<Piece> {
        let part = self.part_of(commit);
        let mut pieces: Vec<Piece> = Vec::new();
        for item in items_of(commit).filter(|item| part.is_none_or(|part| item.ordinal() > part.ordinal)) {
            let (topic, ordinal) = (item.topic(), item.ordinal());
            let mut content = BytesMut::new();
            match pieces.last_mut().filter(|piece| piece.count < MAX_ITEMS) {
                Some(piece) => {
                    let before = piece.content.len();
                    (self.format.item)(item, &mut piece.content);
                    if piece.content.len() <= MAX_BYTES {
                        piece.count += 1;
                        piece.last_ordinal = ordinal;
                        continue;
                    }
                    content = piece.content.split_off(before);
                }
                None => (self.format.item)(item, &mut content),
            }
            pieces.push(Piece { topic, last_ordinal: ordinal, count: 1, content });
        }
        // Of the whole commit, whatever of it is published already: it is whole with its last piece.
        if let Some(last) = pieces.last_mut() {
            intents_of(commit).for_each(|intent| (self.format.intent)(intent, &mut last.content));
        }
        pieces
    }

    /// The part of a commit that is published already.
    fn part_of(&self, commit: &Commit) -> Option<Part> {
        self.place.part.filter(|_| commit.revision == self.place.revision)
    }

    fn add_whole(&mut self, commit: &Commit, piece: Piece) {
        let fits = |open: &Open| {
            let same = open.topic == piece.topic;
            same && open.count + piece.count <= MAX_ITEMS && open.content.len() + piece.content.len() <= MAX_BYTES
        };
        if !self.open.as_ref().is_some_and(fits) {
            self.close();
        }
        let Piece { topic, last_ordinal, count, content } = piece;
        let (first, last, at) = (commit.revision, commit.revision, commit.at);
        match &mut self.open {
            Some(open) => {
                open.content.extend_from_slice(&content);
                (open.last, open.last_ordinal, open.at, open.count) = (last, last_ordinal, at, open.count + count);
            }
            None => self.open = Some(Open { topic, first, last, last_ordinal, at, count, content }),
        }
    }

    fn add_fragments(&mut self, commit: &Commit, pieces: Vec<Piece>) {
        self.close();
        let published = self.part_of(commit);
        let before = published.map_or(0, |part| part.fragment);
        let fragments = before + i32::try_from(pieces.len()).unwrap_or(i32::MAX);
        let previous = published.map_or(self.place.revision, |part| part.previous);
        for (fragment, Piece { topic, last_ordinal, content, .. }) in (before + 1..).zip(pieces) {
            let event = self.event(previous, (commit.revision, commit.revision), commit.at, content.freeze());
            self.push(Event { topic, last_ordinal, fragment, fragments, ..event });
        }
    }

    fn close(&mut self) {
        if let Some(Open { topic, first, last, last_ordinal, at, count: _, content }) = self.open.take() {
            let event = self.event(self.place.revision, (first, last), at, content.freeze());
            self.push(Event { topic, last_ordinal, ..event });
        }
    }

    fn event(&self, previous: Revision, (first, last): (Revision, Revision), at: Timestamp, content: Bytes) -> Event {
        let (account, history) = (self.account.clone(), Arc::clone(&self.history));
        let topic = Topic::Owners;
        Event {
            topic,
            account,
            history,
            previous,
            first,
            last,
            last_ordinal: 0,
            fragment: 1,
            fragments: 1,
            at,
            content,
        }
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
    use crate::domain::fact::Fact;
    use crate::domain::ids::{CallerId, LeadId, MemberId};
    use crate::domain::intent::Intent;
    use crate::domain::published::Item;
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
        fn put<const BYTES: usize>(item: Item, content: &mut BytesMut) {
            content.resize(content.len() + BYTES, u8::try_from(item.ordinal() % 251).unwrap());
        }
        let intent = |intent: Intent, content: &mut BytesMut| {
            content.extend_from_slice(format!("[{} {} {}]", intent.revision, intent.owner, intent.leads).as_bytes());
        };
        Format { data: |_| "test", item: put::<BYTES>, intent, event: |event| event.content.clone() }
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
            let Event { previous, first, last, fragment, fragments, content, .. } = event;
            (previous.0, first.0, last.0, (*fragment, *fragments), content.len())
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

    /// A commit that gives leads to two in turn, who are to be told of them.
    fn given(revision: i64, leads: usize) -> Commit {
        let fact = |lead: usize| Fact::OwnerChanged {
            lead: LeadId::parse(&format!("L{lead}")).unwrap(),
            previous: None,
            owner: MemberId::parse(["ben", "anna"][lead % 2]).ok(),
            notify: true,
        };
        Commit { facts: (0..leads).map(fact).collect(), ..commit(revision, 0) }
    }

    fn told(event: &Event) -> String {
        event.content.iter().copied().map(char::from).filter(|letter| !letter.is_control()).collect()
    }

    #[test]
    fn who_is_to_be_told_stands_where_the_revision_is_whole_and_is_told_of_all_of_it() {
        let events = pack::<0>(Place::default(), &[given(1, 3), given(2, 1), commit(3, 2)]);
        assert_eq!(events.iter().map(told).collect::<Vec<_>>(), ["[1 anna 1][1 ben 2][2 ben 1]"]);
        let fragments = pack::<0>(Place::default(), &[given(1, 1_001)]);
        assert_eq!(fragments.iter().map(told).collect::<Vec<_>>(), ["", "", "[1 anna 500][1 ben 501]"]);
        let rest = pack::<0>(Place::behind(&fragments[0]), &[given(1, 1_001)]);
        assert_eq!(rest, fragments[1..], "whoever goes on tells the same");
    }
}
