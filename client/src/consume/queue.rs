//! What waits for its turn in a lane.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::delivery::Delivery;
use super::event::Link;

/// Messages in their order, for one lane.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: Mutex<VecDeque<Arc<Delivery>>>,
    closed: AtomicBool,
    changed: Notify,
}

impl Queue {
    /// Adds a message. One that has come again takes the place of what came before.
    pub(super) fn add(&self, delivery: &Arc<Delivery>) {
        let mut messages = self.messages.lock();
        messages.retain(|other| other.sequence != delivery.sequence || other.subject() != delivery.subject());
        messages.push_back(Arc::clone(delivery));
        self.changed.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Whether nothing comes any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The next message. `None`: nothing comes any more.
    pub(super) async fn next(&self) -> Option<Arc<Delivery>> {
        loop {
            let next = self.messages.lock().pop_front();
            if next.is_some() || self.is_closed() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// Takes out what need not be taken in by itself: of each account, what its newest message makes up for. That one stays, so nothing
    /// is lost: when its turn comes it shows the gap, and the log has what is missing.
    pub(super) fn spare(&self) -> Vec<Arc<Delivery>> {
        let waiting: Vec<_> = self.messages.lock().iter().cloned().collect();
        let links: Vec<(u64, Link)> =
            waiting.iter().filter_map(|delivery| Some((delivery.sequence, delivery.event().ok()?.into()))).collect();
        let mut newest: HashMap<&str, &Link> = HashMap::new();
        for (_, link) in &links {
            let newest = newest.entry(&link.account_id).or_insert(link);
            if link.last > newest.last {
                *newest = link;
            }
        }
        let made_up_for = links.iter().filter(|(_, link)| newest[link.account_id.as_str()].makes_up_for(link));
        let spared: HashSet<u64> = made_up_for.map(|(sequence, _)| *sequence).collect();
        let mut messages = self.messages.lock();
        let is_spared = |delivery: &Arc<Delivery>| spared.contains(&delivery.sequence);
        let (spared, rest): (Vec<_>, Vec<_>) = messages.drain(..).partition(is_spared);
        *messages = rest.into();
        spared
    }
}
