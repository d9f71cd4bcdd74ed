//! The census: how many leads of the accounts in memory wait for an owner, told to those who run the service.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;

use super::books::Books;
use super::resident::Resident;
use crate::domain::fact::Tip;
use crate::domain::ids::AccountId;
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::store::{self, Store};

/// How often it is taken.
const INTERVAL: Duration = Duration::from_secs(10);

/// Takes it, for ever. A lead waits by the clock of the database, which also says since when.
pub(super) async fn take_always(books: Arc<Books>, store: Store) {
    let mut census = Census::default();
    loop {
        sleep(INTERVAL).await;
        if let Ok(now) = store::clock(&store).await {
            census.take(&books.all()).await;
            let (leads, since) = census.result();
            let age = since.map_or(0, |since| now.0.saturating_sub(since.0));
            metrics::get().unassigned(leads, Duration::from_micros(u64::try_from(age).unwrap_or_default()));
        }
    }
}

/// What waits in each account. Who waits longest is looked for among all its leads, since an order of them would take memory in every
/// account for ever; but only if anything in it has changed since.
#[derive(Debug, Default)]
struct Census(HashMap<AccountId, Count>);

/// How many leads of an account waited at a revision, and since when the first of them had.
#[derive(Debug, Clone, Copy)]
struct Count {
    at: Tip,
    leads: usize,
    since: Option<Timestamp>,
}

impl Census {
    async fn take(&mut self, accounts: &[Arc<Resident>]) {
        let mut before = std::mem::take(&mut self.0);
        for account in accounts {
            let known = before.remove(&account.id).filter(|count| count.at == account.tip());
            let count = match known {
                Some(count) => count,
                None => {
                    yield_now().await;
                    Count::of(account)
                }
            };
            self.0.insert(account.id.clone(), count);
        }
    }

    /// How many leads wait, and since when the first of them has.
    fn result(&self) -> (usize, Option<Timestamp>) {
        let counts = self.0.values();
        (counts.clone().map(|count| count.leads).sum(), counts.filter_map(|count| count.since).min())
    }
}

impl Count {
    fn of(account: &Resident) -> Self {
        let (at, leads, snapshot) = account.read(|book| (book.tip(), book.unassigned(), book.snapshot()));
        let since = if leads > 0 { snapshot.unassigned_since() } else { None };
        Self { at, leads, since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::{Actor, Origin, Source};
    use crate::domain::book::Book;
    use crate::domain::fact::{Commit, Fact};
    use crate::domain::ids::{CallerId, LeadId, MemberId, Revision};
    use crate::domain::lead::LeadRef;

    fn account() -> Arc<Resident> {
        let mut book = Book::at(Revision(1));
        for (id, owner, since) in [("L1", None, 5), ("L2", None, 7), ("L3", Some("anna"), 3)] {
            book.load_lead(LeadRef { since: Timestamp(since), ..LeadRef::named(id, owner) });
        }
        Arc::new(Resident::with(AccountId::parse("a").unwrap(), book, 1 << 30))
    }

    fn assigned(revision: i64, lead: &str) -> Commit {
        let actor = Actor { caller: CallerId::parse("test").unwrap(), member: None };
        let origin = Origin { actor, source: Source::Api, reason: String::new(), batch: None, request: None };
        let owner = Some(MemberId::parse("anna").unwrap());
        let fact = Fact::OwnerChanged { lead: LeadId::parse(lead).unwrap(), previous: None, owner, notify: false };
        Commit { revision: Revision(revision), at: Timestamp(9), origin, facts: vec![fact] }
    }

    #[tokio::test]
    async fn an_account_is_counted_again_once_it_has_changed_and_forgotten_once_it_is_gone() {
        let (account, mut census) = (account(), Census::default());
        let accounts = [Arc::clone(&account)];
        census.take(&accounts).await;
        assert_eq!(census.result(), (2, Some(Timestamp(5))));
        // If it were counted again, it would be seen not to be so many.
        census.0.values_mut().for_each(|count| count.leads = 99);
        census.take(&accounts).await;
        assert_eq!(census.result().0, 99);
        account.take_over(vec![assigned(2, "L1")]).unwrap();
        census.take(&accounts).await;
        assert_eq!(census.result(), (1, Some(Timestamp(7))));
        account.take_over(vec![assigned(3, "L2")]).unwrap();
        census.take(&accounts).await;
        assert_eq!(census.result(), (0, None));
        census.take(&[]).await;
        assert!(census.0.is_empty());
    }
}
