//! The keys of the issuer of tokens: read again while the service runs, and trusted only for so long when that fails.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use lru::LruCache;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, sleep};

use super::key_set::{KeySet, Unusable};
use super::renewal::Renewal;
use super::source::{Place, Source, Unread};
use super::{KeysUnavailable, digest, pem};
use crate::domain::caller::Caller;
use crate::domain::time::Timestamp;

/// Tokens that are remembered as verified.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
/// How often keys are read at most because a token names one that nobody knows: anybody can write such tokens.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(5);

/// Where keys are, and how long they are good for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where they are.
    pub place: Place,
    /// How often they are read again.
    pub refresh_interval: Duration,
    /// For how long they are trusted when they cannot be read.
    pub max_age: Duration,
}

impl Options {
    /// How many keys there are that tokens can be checked with.
    pub async fn examine(&self, accepted: &[Algorithm]) -> Result<usize, Error> {
        let bytes = Source::open(self.place.clone()).await?.read().await?;
        Ok(KeySet::read(&bytes, accepted)?.count())
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They cannot be read.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// They cannot be used.
    #[error("the keys cannot be used")]
    Unusable(#[from] Unusable),
    /// The certificates that their server is checked against cannot be read.
    #[error(transparent)]
    Pem(#[from] pem::Error),
}

/// Keys, and the tokens that were verified with them. With other keys the tokens have to be verified again.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) keys: KeySet,
    verified: Mutex<LruCache<[u8; 32], Arc<Caller>>>,
    fingerprint: [u8; 32],
}

/// Trusted keys, and when they were read last.
#[derive(Debug)]
struct Read {
    trusted: Arc<Trusted>,
    at: Instant,
}

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct Keys {
    source: Source,
    accepted: Vec<Algorithm>,
    options: Options,
    read: RwLock<Option<Read>>,
    turn: Turn<Attempts>,
}

/// Attempts to read the keys, one at a time.
#[derive(Debug)]
struct Attempts {
    last: Option<Instant>,
    renewal: Renewal,
}

impl Trusted {
    fn new(keys: KeySet, fingerprint: [u8; 32]) -> Self {
        Self { keys, verified: Mutex::new(LruCache::new(REMEMBERED)), fingerprint }
    }

    /// The caller that a token was verified to be of. Tokens are known by their hash, so that none of them lies in memory.
    pub(super) fn verified(&self, token: &[u8; 32], now: Timestamp) -> Option<Arc<Caller>> {
        let mut verified = self.verified.lock();
        let caller = verified.get(token)?;
        (!caller.is_expired(now)).then(|| Arc::clone(caller))
    }

    pub(super) fn remember(&self, token: [u8; 32], caller: Arc<Caller>) {
        self.verified.lock().put(token, caller);
    }
}

impl Keys {
    /// Reads them for the first time. A file has to be right from the start; a server may still come up.
    pub(super) async fn open(options: Options, accepted: Vec<Algorithm>) -> Result<Self, Error> {
        let is_file = matches!(options.place, Place::File(_));
        let source = Source::open(options.place.clone()).await?;
        let turn = Turn::new(Attempts { last: None, renewal: Renewal::of("keys") });
        let keys = Self { source, accepted, options, read: RwLock::default(), turn };
        match keys.read_again().await {
            Err(error) if is_file => return Err(error),
            Err(error) => keys.turn.lock().await.renewal.failed(&error),
            Ok(_) => {}
        }
        Ok(keys)
    }

    /// Those that may be trusted now.
    pub(super) fn trusted(&self) -> Result<Arc<Trusted>, KeysUnavailable> {
        let read = self.read.read();
        let fresh = read.as_ref().filter(|read| read.at.elapsed() <= self.options.max_age);
        fresh.map(|read| Arc::clone(&read.trusted)).ok_or(KeysUnavailable)
    }

    /// Reads them again from time to time, for ever.
    pub(super) async fn follow(&self) {
        loop {
            sleep(self.options.refresh_interval).await;
            self.renew(Duration::ZERO).await;
        }
    }

    /// Reads them because there may be a new one, unless that was done a moment ago.
    pub(super) async fn look_for_new(&self) {
        self.renew(UNKNOWN_KEY_PAUSE).await;
    }

    async fn renew(&self, pause: Duration) {
        let mut turn = self.turn.lock().await;
        if turn.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        turn.last = Some(Instant::now());
        match self.read_again().await {
            Ok(is_new) => turn.renewal.succeeded(is_new),
            Err(error) => turn.renewal.failed(&error),
        }
    }

    /// Whether they are others than before.
    async fn read_again(&self) -> Result<bool, Error> {
        let bytes = self.source.read().await?;
        let (at, fingerprint) = (Instant::now(), digest(&bytes));
        if let Some(read) = self.read.write().as_mut().filter(|read| read.trusted.fingerprint == fingerprint) {
            read.at = at;
            return Ok(false);
        }
        let trusted = Arc::new(Trusted::new(KeySet::read(&bytes, &self.accepted)?, fingerprint));
        *self.read.write() = Some(Read { trusted, at });
        Ok(true)
    }
}
