//! Tokens: who an issuer says that a caller is.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::keys::{self, Keys};
use super::signatures::RING;
use super::{Error, digest};
use crate::domain::caller::{Accounts, Caller, Role};
use crate::domain::ids::{AccountId, CallerId, MemberId};
use crate::domain::time::Timestamp;

/// Longest token, in bytes.
const MAX_BYTES: usize = 8 * 1024;
/// Times after the year 9999 are mistakes, or attempts to make sums overflow.
const LAST_SECOND: u64 = 253_402_300_799;
/// What stands for every account in a token of a service or an admin.
const ALL_ACCOUNTS: &str = "*";

/// What tokens must say.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who issues them.
    pub issuer: String,
    /// Whom they are for: this service.
    pub audience: String,
    /// How they may be signed.
    pub algorithms: Vec<Algorithm>,
    /// How far the clock of the issuer may be off.
    pub leeway: Duration,
    /// What claims are called.
    pub claims: ClaimNames,
    /// The keys of the issuer.
    pub keys: keys::Options,
}

/// The names of claims that no standard names.
#[derive(Debug, Clone)]
pub struct ClaimNames {
    /// The account, or several.
    pub account: String,
    /// The member.
    pub member: String,
    /// The role.
    pub role: String,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It is none.
    Form,
    /// It is too long.
    Size,
    /// It is signed by an algorithm that is not accepted.
    Algorithm,
    /// It names a key that the issuer does not have.
    Key,
    /// Its signature is not by that key.
    Signature,
    /// Somebody else has issued it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It is not valid yet.
    NotYetValid,
    /// A claim is missing, or not of the form it must have.
    Claims,
    /// No tokens are accepted at all.
    NotAccepted,
}

impl Problem {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Size => "size",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::NotYetValid => "not_yet_valid",
            Self::Claims => "claims",
            Self::NotAccepted => "not_accepted",
        }
    }
}

/// Verifies tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    options: Options,
    keys: Keys,
    /// The programs that are known by their certificates: nobody else is to be recorded under their names.
    programs: HashSet<CallerId>,
}

impl Tokens {
    pub(super) async fn open(options: Options, programs: HashSet<CallerId>) -> Result<Self, keys::Error> {
        // An error means that it is installed already.
        let _ = RING.install_default();
        let keys = Keys::open(options.keys.clone(), options.algorithms.clone()).await?;
        Ok(Self { options, keys, programs })
    }

    /// Keeps the keys up to date, for ever.
    pub(super) async fn follow(&self) {
        self.keys.follow().await;
    }

    /// Who a token says that its bearer is.
    pub(super) async fn caller(&self, token: &[u8], now: Timestamp) -> Result<Arc<Caller>, Error> {
        if token.len() > MAX_BYTES {
            return Err(Problem::Size.into());
        }
        let (trusted, hash) = (self.keys.trusted()?, digest(token));
        if let Some(caller) = trusted.verified(&hash, now) {
            return Ok(caller);
        }
        let header = self.header(token)?;
        let (id, algorithm) = (header.kid.as_deref(), header.alg);
        if let Some(key) = trusted.keys.find(id, algorithm) {
            let caller = Arc::new(self.verify(token, key, algorithm, now)?);
            trusted.remember(hash, Arc::clone(&caller));
            return Ok(caller);
        }
        // The issuer may have begun to sign with a new key.
        self.keys.look_for_new().await;
        let trusted = self.keys.trusted()?;
        let key = trusted.keys.find(id, algorithm).ok_or(Problem::Key)?;
        Ok(Arc::new(self.verify(token, key, algorithm, now)?))
    }

    /// The header, if it can be that of an acceptable token. What it says about where to find keys is not looked at.
    fn header(&self, token: &[u8]) -> Result<Header, Problem> {
        let header = decode_header(token).map_err(|_| Problem::Form)?;
        // Whoever calls something critical wants it refused by those who do not know it.
        if header.crit.is_some() {
            return Err(Problem::Form);
        }
        if self.options.algorithms.contains(&header.alg) { Ok(header) } else { Err(Problem::Algorithm) }
    }

    fn verify(&self, token: &[u8], key: &DecodingKey, algorithm: Algorithm, now: Timestamp) -> Result<Caller, Error> {
        let mut rules = Validation::new(algorithm);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_issuer(&[&self.options.issuer]);
        rules.set_audience(&[&self.options.audience]);
        rules.validate_nbf = true;
        rules.leeway = self.options.leeway.as_secs();
        let claims = decode::<Map<String, Value>>(token, key, &rules).map_err(|error| wrong(error.kind()))?.claims;
        Ok(self.caller_of(&claims, now).ok_or(Problem::Claims)?)
    }

    /// Who some verified claims are of. Nothing if one is missing, or of another form than it must have.
    fn caller_of(&self, claims: &Map<String, Value>, now: Timestamp) -> Option<Caller> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let names = &self.options.claims;
        // The library takes a list of issuers as well.
        text("iss").filter(|issuer| *issuer == self.options.issuer)?;
        let leeway = self.options.leeway.as_secs();
        if let Some(issued) = claims.get("iat") {
            issued.as_u64().filter(|issued| *issued <= seconds(now) + leeway)?;
        }
        let last = claims.get("exp")?.as_u64().filter(|last| *last <= LAST_SECOND)? + leeway;
        let role = Role::from_word(text(&names.role)?)?;
        let member = match claims.get(&names.member) {
            Some(member) => Some(MemberId::parse(member.as_str()?).ok()?),
            None => None,
        };
        Some(Caller {
            id: CallerId::proven(text("sub")?).ok().filter(|name| !self.programs.contains(name))?,
            role,
            accounts: accounts(claims.get(&names.account)?, role)?,
            member: if role.is_of_members() { Some(member?) } else { None },
            expires: Some(Timestamp(i64::try_from((last + 1) * 1_000_000).ok()?)),
        })
    }
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.0 / 1_000_000).unwrap_or_default()
}

/// The accounts that a claim names: one, or a list.
fn accounts(claim: &Value, role: Role) -> Option<Accounts> {
    let one = |claim: &Value| AccountId::parse(claim.as_str()?).ok();
    if claim == ALL_ACCOUNTS {
        return (!role.is_of_members()).then_some(Accounts::All);
    }
    let named: Option<BTreeSet<_>> = match claim {
        Value::Array(several) => several.iter().map(one).collect(),
        other => one(other).map(|account| BTreeSet::from([account])),
    };
    named.filter(|named| !named.is_empty()).map(Accounts::Only)
}

/// What the library found wrong. It says more than anybody is to be told: parts of the token, for example.
fn wrong(kind: &ErrorKind) -> Error {
    match kind {
        ErrorKind::ExpiredSignature => Error::Expired,
        ErrorKind::InvalidSignature => Problem::Signature.into(),
        ErrorKind::InvalidIssuer => Problem::Issuer.into(),
        ErrorKind::InvalidAudience => Problem::Audience.into(),
        ErrorKind::ImmatureSignature => Problem::NotYetValid.into(),
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Problem::Algorithm.into(),
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::InvalidSubject => {
            Problem::Claims.into()
        }
        _ => Problem::Form.into(),
    }
}
