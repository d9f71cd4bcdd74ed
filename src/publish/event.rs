//! An event: what is said of an account in one message.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::domain::ids::{AccountId, Revision};
use crate::domain::intent::Intent;
use crate::domain::published::{Item, Topic};
use crate::domain::time::Timestamp;

/// What is published of an account together: whole revisions, or a fragment of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub topic: Topic,
    /// The account.
    pub account: AccountId,
    /// The history that the revisions belong to.
    pub history: Arc<str>,
    /// The last revision before the first that is published.
    pub previous: Revision,
    /// The revision of the first item.
    pub first: Revision,
    /// The revision of the last item.
    pub last: Revision,
    /// The place of the last item in its revision.
    pub last_ordinal: i32,
    /// Which fragment of the revision this is, from 1.
    pub fragment: i32,
    /// How many fragments there are.
    pub fragments: i32,
    /// When the last of it happened.
    pub at: Timestamp,
    /// The items, and whom to tell of the revisions that are whole with this event, as they stand in its data.
    pub content: Bytes,
}

/// How events are written: what the contract says, and this capability does not know.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The full name of the data of events about something.
    pub data: fn(Topic) -> &'static str,
    /// Adds an item to the content of an event.
    pub item: fn(Item, &mut BytesMut),
    /// Adds who is to be told of changes.
    pub intent: fn(Intent, &mut BytesMut),
    /// The data of an event.
    pub event: fn(&Event) -> Bytes,
}

/// Where an account stands in the stream: what is read of the last message of its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tail {
    /// The sequence number of the message.
    pub(super) sequence: u64,
    /// What it says; absent if it was written by somebody who does not write events.
    pub(super) said: Option<Said>,
}

/// What a message says about where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The history.
    pub(super) history: Arc<str>,
    /// How far it goes.
    pub(super) place: Place,
    /// When the last of it happened.
    pub(super) at: Timestamp,
}

/// How far an account is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The last revision that is published, in whole or in part.
    pub(super) revision: Revision,
    /// If it is published in part: what is.
    pub(super) part: Option<Part>,
}

/// The part of a revision that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The revision before it.
    pub(super) previous: Revision,
    /// The last change that is published of it.
    pub(super) ordinal: i32,
    /// The fragment that has it.
    pub(super) fragment: i32,
}

impl Place {
    /// After all of a revision.
    pub(super) fn after(revision: Revision) -> Self {
        Self { revision, part: None }
    }

    /// The last revision that is published in whole.
    pub(super) fn whole(&self) -> Revision {
        self.part.map_or(self.revision, |part| part.previous)
    }

    /// After an event.
    pub(super) fn behind(event: &Event) -> Self {
        let Event { previous, last, last_ordinal, fragment, fragments, .. } = *event;
        let part = Part { previous, ordinal: last_ordinal, fragment };
        Self { revision: last, part: (fragment < fragments).then_some(part) }
    }
}
