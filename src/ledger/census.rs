//! The census: how many leads of the accounts in memory wait for an owner, told to those who run the service.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::books::Books;
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::store::{self, Store};

/// How often it is taken.
const INTERVAL: Duration = Duration::from_secs(10);

/// Takes it, for ever. A lead waits by the clock of the database, which also says since when.
pub(super) async fn take_always(books: Arc<Books>, store: Store) {
    loop {
        sleep(INTERVAL).await;
        if let Ok(now) = store::clock(&store).await {
            let (leads, since) = take(&books).await;
            let age = since.map_or(0, |since| now.0.saturating_sub(since.0));
            metrics::get().unassigned(leads, Duration::from_micros(u64::try_from(age).unwrap_or_default()));
        }
    }
}

/// How many leads wait, and since when the first of them has.
async fn take(books: &Books) -> (usize, Option<Timestamp>) {
    let (mut leads, mut first) = (0, None);
    for resident in books.all() {
        let waiting = resident.read(|book| book.unassigned());
        if waiting > 0 {
            leads += waiting;
            let since = resident.read(|book| book.snapshot()).unassigned_since();
            first = first.into_iter().chain(since).min();
            tokio::task::yield_now().await;
        }
    }
    (leads, first)
}
