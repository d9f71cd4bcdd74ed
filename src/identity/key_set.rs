//! The keys that tokens are signed with, and what was verified with them.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

/// A public key that tokens may be signed with.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why keys cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no set of keys.
    #[error("not a JSON Web Key Set")]
    Form,
    /// It has no key for any algorithm that is accepted.
    #[error("no public key for an accepted algorithm in it")]
    Empty,
}

/// A JSON Web Key Set.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// The keys of a JSON Web Key Set that are for one of these algorithms. Others are passed over, as the standard wants: the
    /// issuer may have them for somebody else.
    pub(super) fn read(json: &[u8], accepted: &[Algorithm]) -> Result<Self, Unusable> {
        let Document { keys } = serde_json::from_slice(json).map_err(|_| Unusable::Form)?;
        let parsed = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let usable: Vec<_> = parsed.filter_map(|key| Key::of(&key, accepted)).collect();
        if usable.is_empty() { Err(Unusable::Empty) } else { Ok(Self(usable)) }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The key that a token names, for the algorithm it names. A token that names no key can only mean the only one.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let is_meant = |key: &&Key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => self.0.len() == 1,
        };
        let key = self.0.iter().filter(is_meant).find(|key| key.algorithms.contains(&algorithm))?;
        Some(&key.key)
    }
}

impl Key {
    fn of(jwk: &Jwk, accepted: &[Algorithm]) -> Option<Self> {
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref().is_none_or(|what| *what == PublicKeyUse::Signature);
        let stated = common.key_algorithm;
        let fits = |algorithm: &Algorithm| stated.is_none_or(|stated| stated == KeyAlgorithm::from(*algorithm));
        let possible = possible(&jwk.algorithm).iter().copied();
        let algorithms: Vec<_> = possible.filter(|algorithm| accepted.contains(algorithm)).filter(fits).collect();
        if !signs || algorithms.is_empty() {
            return None;
        }
        Some(Self { id: common.key_id.clone(), algorithms, key: DecodingKey::from_jwk(jwk).ok()? })
    }
}

/// The algorithms that a kind of key can be for. A shared secret is for none: whoever can verify with it could sign as well.
fn possible(key: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm as A;
    match key {
        AlgorithmParameters::RSA(_) => &[A::RS256, A::RS384, A::RS512, A::PS256, A::PS384, A::PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[A::ES256],
            EllipticCurve::P384 => &[A::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[A::EdDSA],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVE: &str = r#"{"kty":"EC","crv":"P-256","kid":"one",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const SECRET: &str = r#"{"kty":"oct","kid":"one","k":"c2hhcmVk"}"#;

    fn set(keys: &[&str]) -> Result<KeySet, Unusable> {
        KeySet::read(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes(), &[Algorithm::ES256, Algorithm::RS256])
    }

    #[test]
    fn a_key_is_found_by_its_id_and_for_its_own_algorithm_only() {
        let keys = set(&[CURVE]).unwrap();
        assert!(keys.find(Some("one"), Algorithm::ES256).is_some());
        assert!(keys.find(Some("two"), Algorithm::ES256).is_none());
        for other in [Algorithm::RS256, Algorithm::ES384, Algorithm::HS256] {
            assert!(keys.find(Some("one"), other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_token_that_names_no_key_means_the_only_one() {
        assert!(set(&[CURVE]).unwrap().find(None, Algorithm::ES256).is_some());
        assert!(set(&[CURVE, &CURVE.replace("one", "two")]).unwrap().find(None, Algorithm::ES256).is_none());
    }

    #[test]
    fn what_is_for_others_is_passed_over_and_a_set_with_nothing_else_is_refused() {
        let encrypts = CURVE.replace(r#""kid""#, r#""use":"enc","kid""#);
        let of_another_algorithm = CURVE.replace(r#""kid""#, r#""alg":"RS256","kid""#);
        let unknown = r#"{"kty":"AKP","kid":"new"}"#;
        let foreign = [SECRET, &encrypts, &of_another_algorithm, unknown, "7"];
        assert_eq!(set(&foreign).unwrap_err(), Unusable::Empty);
        assert!(set(&[&foreign[..], &[CURVE]].concat()).unwrap().find(Some("one"), Algorithm::ES256).is_some());
    }

    #[test]
    fn bytes_that_are_no_key_set_are_refused() {
        for bad in ["", "{}", "[]", "<html>", r#"{"keys":{}}"#] {
            assert_eq!(KeySet::read(bad.as_bytes(), &[Algorithm::ES256]).unwrap_err(), Unusable::Form, "{bad}");
        }
    }
}
