//! Idempotency: what is known of the request ids in a batch.

use std::collections::HashMap;

use uuid::Uuid;

use super::Error;
use crate::domain::command::{Command, Once};
use crate::domain::ids::{CallerId, Revision};
use crate::domain::outcome::{Answer, Results};
use crate::store::requests::Used;

/// The request ids that were used before, and those that the batch uses.
#[derive(Debug, Default)]
pub(super) struct Requests {
    used: HashMap<(CallerId, Uuid), Used>,
    new: Vec<(CallerId, Uuid)>,
}

impl Requests {
    /// Those that were used before.
    pub(super) fn known(used: Vec<Used>) -> Self {
        let used = used.into_iter().map(|used| ((used.caller.clone(), used.request), used)).collect();
        Self { used, new: Vec::new() }
    }

    /// The answer that a command got before, if it is a repeat. Another command under the same id is refused.
    pub(super) fn replay(&self, command: &Command) -> Result<Option<Answer>, Error> {
        let Some(once) = &command.once else { return Ok(None) };
        let Some(used) = self.used.get(&(command.origin.actor.caller.clone(), once.request)) else { return Ok(None) };
        if used.method != once.method || used.fingerprint != once.fingerprint {
            return Err(Error::RequestIdReused { request: once.request, method: used.method.clone() });
        }
        Ok(Some(Answer { revision: used.revision, replayed: true, results: used.results.clone() }))
    }

    /// Keeps the answer to a command.
    pub(super) fn keep(&mut self, command: &Command, revision: Revision, results: &Results) {
        let Some(Once { request, method, fingerprint }) = &command.once else { return };
        let key = (command.origin.actor.caller.clone(), *request);
        let used = Used {
            caller: key.0.clone(),
            request: *request,
            method: (*method).to_owned(),
            fingerprint: *fingerprint,
            revision,
            results: results.clone(),
        };
        self.used.insert(key.clone(), used);
        self.new.push(key);
    }

    /// Those that the batch uses for the first time.
    pub(super) fn into_new(mut self) -> Vec<Used> {
        self.new.iter().filter_map(|key| self.used.remove(key)).collect()
    }
}
