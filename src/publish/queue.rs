//! Which accounts wait to be looked at. Each is looked at by one at a time, and again if something came to it meanwhile.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::ids::AccountId;

/// The accounts that wait, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    more: Notify,
    empty: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<AccountId>,
    stages: HashMap<AccountId, Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Begun,
    /// Something came to it since.
    BegunAndChanged,
}

impl Queue {
    /// Has an account looked at.
    pub(super) fn push(&self, account: AccountId) {
        let mut inner = self.inner.lock();
        match inner.stages.get_mut(&account) {
            Some(Stage::Waiting | Stage::BegunAndChanged) => {}
            Some(stage @ Stage::Begun) => *stage = Stage::BegunAndChanged,
            None => {
                inner.stages.insert(account.clone(), Stage::Waiting);
                inner.waiting.push_back(account);
                self.more.notify_one();
            }
        }
    }

    /// The next account to look at.
    pub(super) async fn next(&self) -> AccountId {
        loop {
            if let Some(account) = self.begin() {
                return account;
            }
            self.more.notified().await;
        }
    }

    fn begin(&self) -> Option<AccountId> {
        let mut inner = self.inner.lock();
        let account = inner.waiting.pop_front()?;
        inner.stages.insert(account.clone(), Stage::Begun);
        Some(account)
    }

    /// An account was looked at.
    pub(super) fn done(&self, account: &AccountId) {
        let mut inner = self.inner.lock();
        if inner.stages.remove(account) == Some(Stage::BegunAndChanged) {
            inner.stages.insert(account.clone(), Stage::Waiting);
            inner.waiting.push_back(account.clone());
            self.more.notify_one();
        }
        if inner.stages.is_empty() {
            self.empty.notify_one();
        }
    }

    /// Completes when no account waits or is being looked at.
    pub(super) async fn idle(&self) {
        while !self.inner.lock().stages.is_empty() {
            self.empty.notified().await;
        }
    }

    /// How many accounts wait.
    pub(super) fn len(&self) -> usize {
        self.inner.lock().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn account(name: &str) -> AccountId {
        AccountId::parse(name).unwrap()
    }

    #[test]
    fn accounts_come_in_turn_and_once_however_often_they_are_pushed() {
        let queue = Queue::default();
        ["a", "b", "a", "a"].into_iter().for_each(|name| queue.push(account(name)));
        assert_eq!(queue.next().now_or_never(), Some(account("a")));
        assert_eq!(queue.next().now_or_never(), Some(account("b")));
        assert_eq!(queue.next().now_or_never(), None);
    }

    #[test]
    fn what_comes_while_an_account_is_looked_at_has_it_looked_at_again_and_not_at_the_same_time() {
        let queue = Queue::default();
        queue.push(account("a"));
        assert_eq!(queue.next().now_or_never(), Some(account("a")));
        queue.push(account("a"));
        assert_eq!(queue.next().now_or_never(), None, "somebody looks at it");
        queue.done(&account("a"));
        assert_eq!(queue.next().now_or_never(), Some(account("a")));
        assert_eq!(queue.idle().now_or_never(), None);
        queue.done(&account("a"));
        assert_eq!((queue.next().now_or_never(), queue.idle().now_or_never()), (None, Some(())));
    }
}
