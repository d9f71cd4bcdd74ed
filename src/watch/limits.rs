//! How many watches there may be.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Options;
use crate::domain::ids::CallerId;
use crate::metrics;

/// There are as many watches as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {limit} watches already")]
pub struct Limit {
    /// How many there may be.
    pub limit: usize,
    /// Of whom: `caller` or `replica`.
    pub scope: &'static str,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_caller: HashMap<CallerId, usize>,
}

/// Counts watches. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    options: Options,
    taken: Arc<Mutex<Taken>>,
}

/// The right to one watch, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    limits: Limits,
    caller: CallerId,
}

impl Limits {
    pub(super) fn new(options: Options) -> Self {
        Self { options, taken: Arc::default() }
    }

    /// How many watches there are.
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().all
    }

    pub(super) fn enter(&self, caller: &CallerId) -> Result<Place, Limit> {
        let mut taken = self.taken.lock();
        if taken.all >= self.options.per_replica {
            return Err(Limit { limit: self.options.per_replica, scope: "replica" });
        }
        let own = taken.by_caller.entry(caller.clone()).or_default();
        if *own >= self.options.per_caller {
            return Err(Limit { limit: self.options.per_caller, scope: "caller" });
        }
        *own += 1;
        taken.all += 1;
        metrics::get().watch_opened();
        Ok(Place { limits: self.clone(), caller: caller.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.limits.taken.lock();
        taken.all -= 1;
        if let Some(own) = taken.by_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
        metrics::get().watch_closed();
    }
}
