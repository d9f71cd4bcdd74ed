//! One migration at a time. The lock is polled, never waited for inside the database: a session that blocks on an
//! advisory lock holds a snapshot, and `CREATE INDEX CONCURRENTLY` in the session that has the lock waits for every snapshot.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::postgres::{PgAdvisoryLock, PgAdvisoryLockGuard, PgConnectOptions, PgConnection};
use sea_orm_migration::sea_orm::sqlx::{ConnectOptions, Connection, Either};
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::connection::Target;

const POLL: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Held until released or dropped; the system frees it when the process dies.
pub(crate) enum Lock {
    File(File),
    // A session of its own: the migrations may take and return connections as they like.
    Session(Box<PgAdvisoryLockGuard<PgConnection>>),
}

impl Lock {
    pub(crate) async fn release(self) {
        match self {
            Self::File(file) => drop(file),
            // Ending the session frees the lock; if the goodbye is lost, the server notices the closed socket.
            Self::Session(guard) => drop(guard.leak().close().await),
        }
    }
}

pub(crate) async fn acquire(url: &str) -> Result<Lock, Error> {
    match Target::parse(url)? {
        Target::Sqlite(database) => acquire_file(lock_path(&database)).await.map(Lock::File),
        Target::Postgres(options) => acquire_session(&options).await.map(|guard| Lock::Session(Box::new(guard))),
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".migrate.lock");
    path.into()
}

async fn acquire_file(path: PathBuf) -> Result<File, Error> {
    let failed = |source| Error::LockFile { path: path.clone(), source };
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    let patience = Patience::new();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => patience.wait().await?,
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

async fn acquire_session(options: &PgConnectOptions) -> Result<PgAdvisoryLockGuard<PgConnection>, Error> {
    let lock = PgAdvisoryLock::new("ownership-migrations");
    let mut session = options.connect().await.map_err(Error::LockSession)?;
    let patience = Patience::new();
    loop {
        match lock.try_acquire(session).await.map_err(Error::LockSession)? {
            Either::Left(guard) => return Ok(guard),
            Either::Right(refused) => session = refused,
        }
        patience.wait().await?;
    }
}

struct Patience {
    since: Instant,
}

impl Patience {
    fn new() -> Self {
        Self { since: Instant::now() }
    }

    async fn wait(&self) -> Result<(), Error> {
        let waited = self.since.elapsed();
        if waited >= LONGEST_WAIT {
            return Err(Error::LockTimeout { waited });
        }
        tracing::debug!(?waited, "another process migrates");
        sleep(POLL).await;
        Ok(())
    }
}
