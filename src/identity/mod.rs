//! How callers prove who they are: by a token of an issuer that is trusted, or by the certificate of their connection.
//!
//! Everything that can go wrong here ends in a refusal: a file that is broken, keys that cannot be read, a claim that is missing.

mod certificate;
mod key_set;
mod keys;
mod pem;
mod renewal;
mod signatures;
mod source;
mod tls;
mod token;

use std::collections::HashMap;
use std::sync::Arc;

use ring::digest::SHA256;

pub use certificate::{Certificate, NotACertificate, Peer};
pub use jsonwebtoken::Algorithm;
pub use keys::{Error as KeysError, Options as KeyOptions};
pub use pem::Error as PemError;
pub use source::Place;
pub use tls::{Files, PROTOCOL, REPLACED_BEFORE, Tls};
pub use token::{ClaimNames, Options as TokenOptions, Problem};

use crate::domain::caller::{Accounts, Caller, Role};
use crate::domain::ids::CallerId;
use crate::domain::time::Timestamp;
use token::Tokens;

/// Who is let in.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What tokens must say. Absent: none is accepted.
    pub tokens: Option<TokenOptions>,
    /// The programs that are known by the names in their certificates, and what each is.
    pub programs: HashMap<CallerId, Role>,
}

/// Why it is not known who calls, or why whoever calls is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is neither a token nor a certificate.
    #[error("the call carries neither a token nor a client certificate")]
    Missing,
    /// There is a token that is not accepted.
    #[error("the token is not accepted: {}", .0.as_str())]
    Token(Problem),
    /// The token or the certificate has expired.
    #[error("the token or the certificate has expired")]
    Expired,
    /// The certificate is of nobody who is known.
    #[error("the client certificate is of no program that is let in")]
    Unknown(Option<CallerId>),
    /// Tokens cannot be checked.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
}

/// The keys of the issuer could not be read for too long, so nothing that is signed with them is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys that tokens are checked with could not be read for too long")]
pub struct KeysUnavailable;

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Token(problem)
    }
}

/// Finds out who calls. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tokens: Option<Tokens>,
    programs: HashMap<CallerId, Role>,
}

impl Gate {
    /// Gets ready to find out who calls.
    pub async fn open(options: Options) -> Result<Self, KeysError> {
        let Options { tokens, programs } = options;
        let tokens = match tokens {
            Some(options) => Some(Tokens::open(options, programs.keys().cloned().collect()).await?),
            None => None,
        };
        Ok(Self(Arc::new(Inner { tokens, programs })))
    }

    /// Keeps what tokens are checked with up to date, for ever.
    pub async fn follow(&self) {
        match &self.0.tokens {
            Some(tokens) => tokens.follow().await,
            None => std::future::pending().await,
        }
    }

    /// Who calls. A token says more than the certificate of the connection, which may be that of a program between.
    pub async fn identify(
        &self,
        token: Option<&[u8]>,
        peer: Option<&Certificate>,
        now: Timestamp,
    ) -> Result<Arc<Caller>, Error> {
        match (token, &self.0.tokens, peer) {
            (Some(token), Some(tokens), _) => tokens.caller(token, now).await,
            // Who sends a token does not want to be taken for somebody else.
            (Some(_), None, _) => Err(Problem::NotAccepted.into()),
            (None, _, Some(certificate)) => self.program(certificate, now).map(Arc::new),
            (None, _, None) => Err(Error::Missing),
        }
    }

    fn program(&self, certificate: &Certificate, now: Timestamp) -> Result<Caller, Error> {
        let Certificate { name, expires } = certificate;
        if *expires <= now {
            return Err(Error::Expired);
        }
        let known = name.as_ref().and_then(|name| Some((name, *self.0.programs.get(name)?)));
        let (id, role) = known.ok_or_else(|| Error::Unknown(name.clone()))?;
        Ok(Caller { id: id.clone(), role, accounts: Accounts::All, member: None, expires: Some(*expires) })
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&SHA256, bytes).as_ref());
    hash
}
