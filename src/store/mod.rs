//! The database: the only place that names it.
//!
//! A [`Store`] hands out [`Tx`], the one key to every function that writes, and [`Snapshot`], in which everything is read as of
//! one moment. Queries stand in one file per noun and speak the words of the domain.

pub mod ageing;
pub mod checkup;
mod dialect;
mod entity;
mod error;
pub mod facts;
pub mod heads;
pub mod history;
pub mod leads;
pub mod members;
pub mod meta;
pub mod outbox;
mod probe;
pub mod published;
pub mod requests;
pub mod settings;
mod table;
mod trim;
mod write;

use std::fmt;
use std::fs::File;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, TransactionOptions, TransactionTrait};
use tracing::Instrument;

pub use error::Error;
pub use probe::{Pool, clock};
use sealed::Reads;
pub use write::{Written, write};

/// How to reach a database.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:PATH` or `postgres://...`. May hold a password.
    pub url: String,
    /// Most connections at once.
    pub max_connections: u32,
}

/// A database that is connected to.
#[derive(Clone)]
pub struct Store {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    /// Nobody else may use the database as long as this is open.
    lock: Option<Arc<File>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

impl Store {
    /// Connects. On SQLite also makes sure that no other process uses the file.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let dialect::Connections { writer, reader, lock } =
            dialect::connect(&options.url, options.max_connections).await?;
        Ok(Self { writer, reader, lock: lock.map(Arc::new) })
    }

    /// Whether this process is the only one that can write.
    pub fn is_exclusive(&self) -> bool {
        self.lock.is_some()
    }

    /// Begins a write transaction. Dropping it rolls it back.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn begin(&self, name: &'static str) -> Result<Tx, Error> {
        let inner = begun(self.writer.clone(), dialect::for_writing(self.backend())).await?;
        Ok(Tx { inner, name })
    }

    /// Begins to read as of one moment.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn snapshot(&self, name: &'static str) -> Result<Snapshot, Error> {
        let inner = begun(self.reader.clone(), dialect::for_snapshot(self.backend())).await?;
        Ok(Snapshot { inner })
    }

    fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }
}

/// Begins a transaction, and rolls it back if nobody waits for it any more.
///
/// In a task of its own, which nobody cuts short: the driver does not know of a transaction before the database has answered. Given up
/// until then, it would stay open, and whoever gets the connection next would be within it.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where transactions begin, and what they begin in ends by itself"
)]
async fn begun(connection: DatabaseConnection, options: TransactionOptions) -> Result<DatabaseTransaction, Error> {
    let begin = async move { connection.begin_with_options(options).await }.in_current_span();
    match tokio::spawn(begin).await {
        Ok(begun) => Ok(begun?),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        // The process ends, and nobody is answered.
        Err(_) => pending().await,
    }
}

/// A write transaction: the only key to the functions that write.
pub struct Tx {
    inner: DatabaseTransaction,
    name: &'static str,
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tx {
    /// Makes everything that was written visible and durable.
    #[tracing::instrument(level = "debug", skip(self), fields(name = self.name))]
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await.map_err(error::of_commit)
    }

    /// Ends it when nothing was written.
    pub async fn end(self) -> Result<(), Error> {
        Ok(self.inner.rollback().await?)
    }
}

/// A transaction in which everything is read as of one moment.
pub struct Snapshot {
    inner: DatabaseTransaction,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// Where something can be read: a store, a snapshot of it, or a transaction.
pub trait Readable: Reads {}

impl Readable for Store {}
impl Readable for Snapshot {}
impl Readable for Tx {}

mod sealed {
    use sea_orm::{ConnectionTrait, StreamTrait};

    /// Keeps the driver out of sight of everybody who reads.
    pub trait Reads: Sync {
        type Connection: ConnectionTrait + StreamTrait;

        fn connection(&self) -> &Self::Connection;
    }

    impl Reads for super::Store {
        type Connection = sea_orm::DatabaseConnection;

        fn connection(&self) -> &Self::Connection {
            &self.reader
        }
    }

    impl Reads for super::Snapshot {
        type Connection = sea_orm::DatabaseTransaction;

        fn connection(&self) -> &Self::Connection {
            &self.inner
        }
    }

    impl Reads for super::Tx {
        type Connection = sea_orm::DatabaseTransaction;

        fn connection(&self) -> &Self::Connection {
            &self.inner
        }
    }
}
