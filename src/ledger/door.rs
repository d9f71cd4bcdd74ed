//! The door: the one way by which an account changes. Requests wait there in line until somebody who writes takes them.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::Error;
use super::batch::{Claim, Pending};
use super::resident::Resident;
use super::writer::Writer;
use crate::domain::command::Command;
use crate::domain::ids::{AccountId, CallerId};
use crate::domain::outcome::Answer;

/// The door of one account.
#[derive(Debug)]
pub(super) struct Door {
    line: Arc<Line>,
    /// Shared with every request until it is answered.
    under_way: Arc<()>,
}

/// Those who wait at a door.
#[derive(Debug)]
struct Line {
    resident: Arc<Resident>,
    /// Has those in its hands who wait for a visit.
    writer: Weak<Writer>,
    depth: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Pending>,
    /// Whether there is a visit: from when one is asked for until it ends.
    is_visited: bool,
}

/// An account in the hands of somebody who writes, and those of its requests that he has taken. There is one at a time. When it
/// ends, however that comes about, the next one is asked for if somebody waits.
#[derive(Debug)]
pub(super) struct Visit {
    line: Arc<Line>,
    pub(super) requests: Vec<Pending>,
}

impl Door {
    /// The door of an account, which up to `depth` requests may wait at.
    pub(super) fn new(resident: Arc<Resident>, writer: &Arc<Writer>, depth: usize) -> Self {
        let line = Line { resident, writer: Arc::downgrade(writer), depth, waiting: Mutex::default() };
        Self { line: Arc::new(line), under_way: Arc::default() }
    }

    /// Whether nothing waits or is under way, whether its caller waits or not.
    pub(super) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.under_way) == 1
    }

    /// Has a command carried out. Once it has begun it is finished, whether the caller waits or not.
    pub(super) async fn pass(&self, command: Command, deadline: Instant) -> Result<Answer, Error> {
        let (answer, answered) = oneshot::channel();
        let account = &self.line.resident.id;
        let span = tracing::debug_span!("door", %account, revision = tracing::field::Empty);
        let _under_way = Arc::clone(&self.under_way);
        let (claim, request) = (Claim::default(), command.origin.request);
        let queued = Instant::now();
        self.line.join(Pending { command, deadline, queued, claim: claim.clone(), answer, span, _under_way })?;
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            // Not answered in time, or given up by a defect.
            Ok(Err(_)) | Err(_) if claim.withdraw() => Err(Error::Deadline),
            Ok(Err(_)) | Err(_) => Err(Error::OutcomeUnknown { request }),
        }
    }
}

impl Line {
    fn join(self: &Arc<Self>, request: Pending) -> Result<(), Error> {
        let mut waiting = self.waiting.lock();
        if waiting.requests.len() >= self.depth {
            return Err(Error::Busy { depth: self.depth });
        }
        waiting.requests.push_back(request);
        let ask = !waiting.is_visited;
        waiting.is_visited = true;
        drop(waiting);
        if ask {
            self.ask_for_visit();
        }
        Ok(())
    }

    fn ask_for_visit(self: &Arc<Self>) {
        if let Some(writer) = self.writer.upgrade() {
            writer.visit(Visit { line: Arc::clone(self), requests: Vec::new() });
        }
    }
}

impl Visit {
    /// The account.
    pub(super) fn resident(&self) -> &Resident {
        &self.line.resident
    }

    /// How many items the requests bring.
    pub(super) fn items(&self) -> usize {
        self.requests.iter().map(Pending::weight).sum()
    }

    /// The span of the first request, in whose trace the statements stand.
    pub(super) fn span(&self) -> tracing::Span {
        self.requests.first().map_or_else(tracing::Span::none, |first| first.span.clone())
    }

    /// What those of the requests are known by that are to happen at most once.
    pub(super) fn request_ids(&self) -> impl Iterator<Item = (&AccountId, &CallerId, Uuid)> {
        let ids = self.requests.iter().filter_map(|request| request.command.request_id());
        ids.map(|(caller, id)| (&self.line.resident.id, caller, id))
    }

    /// Takes the first who waits.
    pub(super) fn take_first(&mut self) {
        self.requests.extend(self.line.waiting.lock().requests.pop_front());
    }

    /// Takes those who come next, until there are so many, or they bring more items than there is room for. Returns how many they bring.
    pub(super) fn take(&mut self, requests: usize, room: usize) -> usize {
        let mut taken = 0;
        let mut waiting = self.line.waiting.lock();
        while self.requests.len() < requests
            && let Some(next) = waiting.requests.pop_front_if(|next| taken + next.weight() <= room)
        {
            taken += next.weight();
            self.requests.push(next);
        }
        taken
    }

    /// Gives the requests their answers.
    pub(super) fn answer(&mut self, answers: impl IntoIterator<Item = Result<Answer, Error>>) {
        self.requests.drain(..).zip(answers).for_each(|(request, answer)| request.reply(answer));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut waiting = self.line.waiting.lock();
        waiting.is_visited = !waiting.requests.is_empty();
        let ask = waiting.is_visited;
        drop(waiting);
        if ask {
            self.line.ask_for_visit();
        }
    }
}
