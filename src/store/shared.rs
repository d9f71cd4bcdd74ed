//! Write transactions that share a flush, where only one can write at a time.
//!
//! Most of a small transaction on SQLite is waiting for the disk. So whoever has written hands the open transaction on to those who
//! wait to write, goes to the end of their queue, and once it is its turn again commits for all of them. A lone writer finds nobody
//! there, and commits at once. What fails takes the whole transaction with it: the others look up that nothing of theirs was
//! committed, and try again on their own.

use std::sync::Arc;

use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::{Error, error};

/// The queue of those who write. Whoever comes first is served first.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<Option<Joint>>>);

/// A transaction that waits for somebody to commit it.
struct Joint {
    transaction: DatabaseTransaction,
    written: Written,
}

/// Those who have written in it, and wait to hear what became of it.
type Written = Vec<oneshot::Sender<Result<(), Error>>>;

/// The turn of one who writes.
pub(super) struct Place {
    turn: OwnedMutexGuard<Option<Joint>>,
    /// Those who have written before, in the same transaction.
    before: Written,
    shares: bool,
}

impl Queue {
    /// Waits for a turn.
    pub(super) async fn place(&self, shares: bool) -> Place {
        Place { turn: Arc::clone(&self.0).lock_owned().await, before: Written::new(), shares }
    }
}

impl Place {
    /// The transaction to write in, if one is open that may be joined. For who does not share it is committed first.
    pub(super) async fn enter(&mut self) -> Option<DatabaseTransaction> {
        let joint = self.turn.take()?;
        if self.shares {
            self.before = joint.written;
            return Some(joint.transaction);
        }
        joint.commit().await;
        None
    }

    /// Leaves a transaction as it was entered: nothing was written.
    pub(super) async fn leave(mut self, transaction: DatabaseTransaction) -> Result<(), Error> {
        if self.before.is_empty() {
            return Ok(transaction.rollback().await?);
        }
        *self.turn = Some(Joint { transaction, written: self.before });
        Ok(())
    }

    /// Makes what was written durable, together with what others write meanwhile.
    pub(super) async fn commit(mut self, transaction: DatabaseTransaction) -> Result<(), Error> {
        if !self.shares {
            return transaction.commit().await.map_err(error::of_commit);
        }
        let (told, mut outcome) = oneshot::channel();
        self.before.push(told);
        *self.turn = Some(Joint { transaction, written: self.before });
        let queue = Arc::clone(OwnedMutexGuard::mutex(&self.turn));
        drop(self.turn);
        let told = tokio::select! {
            biased;
            told = &mut outcome => told,
            mut turn = queue.lock_owned() => {
                if let Some(joint) = turn.take() {
                    joint.commit().await;
                }
                outcome.await
            }
        };
        // Somebody failed, or gave up in the middle of the commit.
        told.unwrap_or_else(|_| Err(Error::CommitUnknown(DbErr::Custom("a shared transaction was given up".into()))))
    }
}

impl Joint {
    async fn commit(self) {
        let outcome = self.transaction.commit().await;
        if outcome.is_err() && self.written.len() > 1 {
            // It may be the fault of one of them. On its own each hears what is wrong with what it wrote itself.
            return;
        }
        for told in self.written {
            // Who does not wait any more looks it up.
            let _ = told.send(outcome.clone().map_err(error::of_commit));
        }
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;
    use tempfile::TempDir;

    use super::*;
    use crate::store::{Options, Store, Tx};

    async fn store() -> (TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ownership.db").display());
        let store = Store::connect(&Options { url, max_connections: 2 }).await.unwrap();
        let tables = "CREATE TABLE written (name TEXT UNIQUE);
            CREATE TABLE fulfilled (promise TEXT REFERENCES written (name) DEFERRABLE INITIALLY DEFERRED)";
        store.writer.execute_unprepared(tables).await.unwrap();
        (directory, store)
    }

    async fn write(tx: &Tx, name: &str) {
        tx.inner.execute_unprepared(&format!("INSERT INTO written VALUES ('{name}')")).await.unwrap();
    }

    /// What readers see.
    async fn written(store: &Store) -> Vec<String> {
        let statement = sea_orm::Statement::from_string(store.backend(), "SELECT name FROM written ORDER BY rowid");
        let rows = store.reader.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    #[tokio::test]
    async fn those_who_wait_to_write_are_committed_with_whoever_wrote_before() {
        let (_directory, store) = store().await;
        let one = store.join("one").await.unwrap();
        write(&one, "one").await;
        let other = async {
            let other = store.join("other").await.unwrap();
            assert!(written(&store).await.is_empty(), "the first waits for the second");
            write(&other, "other").await;
            other.commit().await
        };
        let (other, one) = tokio::join!(biased; other, one.commit());
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(written(&store).await, ["one", "other"]);
    }

    #[tokio::test]
    async fn who_fails_takes_the_others_with_him_and_they_are_told_to_look() {
        let (_directory, store) = store().await;
        let one = store.join("one").await.unwrap();
        write(&one, "one").await;
        let other = async {
            let other = store.join("other").await.unwrap();
            write(&other, "other").await;
            drop(other);
        };
        let ((), one) = tokio::join!(biased; other, one.commit());
        assert!(matches!(one, Err(Error::CommitUnknown(_))), "{one:?}");
        // Alone it gets through, whoever comes behind.
        let again = store.begin("again").await.unwrap();
        write(&again, "again").await;
        let behind = async { drop(store.join("behind").await.unwrap()) };
        let ((), again) = tokio::join!(biased; behind, again.commit());
        assert!(again.is_ok());
        assert_eq!(written(&store).await, ["again"]);
    }

    #[tokio::test]
    async fn who_makes_the_commit_fail_hears_why_once_alone() {
        let (_directory, store) = store().await;
        let breaks = "INSERT INTO fulfilled VALUES ('never')";
        let one = store.join("one").await.unwrap();
        write(&one, "one").await;
        let other = async {
            let other = store.join("other").await.unwrap();
            other.inner.execute_unprepared(breaks).await.unwrap();
            other.commit().await
        };
        let (other, one) = tokio::join!(biased; other, one.commit());
        assert!(matches!((one, other), (Err(Error::CommitUnknown(_)), Err(Error::CommitUnknown(_)))));
        let alone = store.begin("other").await.unwrap();
        alone.inner.execute_unprepared(breaks).await.unwrap();
        assert!(matches!(alone.commit().await, Err(Error::Defect(_))));
        let one = store.begin("one").await.unwrap();
        write(&one, "one").await;
        one.commit().await.unwrap();
        assert_eq!(written(&store).await, ["one"]);
    }

    #[tokio::test]
    async fn who_only_looked_leaves_the_others_to_themselves() {
        let (_directory, store) = store().await;
        let one = store.join("one").await.unwrap();
        write(&one, "one").await;
        let other = async { store.join("other").await.unwrap().end().await };
        let (other, one) = tokio::join!(biased; other, one.commit());
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(written(&store).await, ["one"]);
        store.join("alone").await.unwrap().end().await.unwrap();
    }

    #[tokio::test]
    async fn who_needs_the_truth_has_everything_before_committed_first() {
        let (_directory, store) = store().await;
        let one = store.join("one").await.unwrap();
        write(&one, "one").await;
        let other = async {
            let other = store.begin("other").await.unwrap();
            assert_eq!(written(&store).await, ["one"]);
            other.end().await
        };
        let (other, one) = tokio::join!(biased; other, one.commit());
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_is_committed_by_the_next() {
        let (_directory, store) = store().await;
        let one = store.join("one").await.unwrap();
        write(&one, "one").await;
        let other = store.join("other");
        tokio::pin!(other);
        assert!(futures::poll!(&mut other).is_pending());
        let mut commit = Box::pin(one.commit());
        assert!(futures::poll!(&mut commit).is_pending(), "it waits behind the other");
        drop(commit);
        other.await.unwrap().commit().await.unwrap();
        assert_eq!(written(&store).await, ["one"]);
    }
}
