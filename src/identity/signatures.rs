//! Signatures of tokens, checked by ring, which does the cryptography of everything else here.
//!
//! What the library for tokens brings itself would be a second implementation, with an RSA that has a known flaw or a C build.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::signature::{Error as Mismatch, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{self as by, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

/// Verifies, and signs nothing.
pub(super) static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Signature { scheme: scheme(*algorithm)?, algorithm: *algorithm, key: key.clone() }))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// How ring calls an algorithm.
#[derive(Clone, Copy)]
enum Scheme {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
}

/// Nothing that is signed with a shared secret, so a public key can never be taken for one.
fn scheme(algorithm: Algorithm) -> Result<Scheme, Error> {
    Ok(match algorithm {
        Algorithm::RS256 => Scheme::Rsa(&by::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Scheme::Rsa(&by::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Scheme::Rsa(&by::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Scheme::Rsa(&by::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Scheme::Rsa(&by::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Scheme::Rsa(&by::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Scheme::Curve(&by::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Scheme::Curve(&by::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Scheme::Curve(&by::ED25519),
        _ => return Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    })
}

/// A signature by one algorithm and key.
struct Signature {
    scheme: Scheme,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for Signature {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Signature {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Mismatch> {
        let matches = match (self.scheme, self.key.kind()) {
            (Scheme::Rsa(scheme), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(scheme, message, signature).is_ok()
            }
            (Scheme::Curve(scheme), DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(scheme, key).verify(message, signature).is_ok()
            }
            // A key of another kind than the algorithm's has signed nothing.
            (Scheme::Rsa(_), DecodingKeyKind::SecretOrDer(_))
            | (Scheme::Curve(_), DecodingKeyKind::RsaModulusExponent { .. }) => false,
        };
        if matches { Ok(()) } else { Err(Mismatch::new()) }
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto::verify;

    use super::*;

    const MODULUS: &str = "0Z1f3USprFprMXqLM7d8z5mMOox49kOi6DLfbDjq912HPYT7xq8C5GrbD3G9HLeGPXx2T2EJSfhe9hQglvTAY-cnNw52s03DoqQv\
        kC_SvjAnFCWVC9AeJurJWNVZ9DGutTz95csGzh1fgur0jeFcZXCNzmysp9tPpVSwSqWggvSLUWRvp779CA6wmBeSSwwSlbFeg-Y0\
        gQrv2C4Jv-vWyve2F03SDqXe33Xfd2KUKA1QK9driPtpbTBTxztsClDKyrQCHAE0ceBU39Rc7U6Avh8AXX4ZcdqmLS3-ZW8gAlaQ\
        muI5Sntr-wmBY7kvOeP8DNz0458rY2jUe5P_Qj3asw";
    /// By that key, made with another program; the first with RS256, the second with PS256.
    const SIGNATURES: [&str; 2] = [
        "Mw2yaMokqYkEKnjt5n9vJtTHxwrfD5apUBLuEWXUsSgHU3hGP-qVX3D3Hkoe6QnJN6MSjbGrrm1a2ZErmjEchYoM_oiglTaIU8We\
        9-zcp1FGMv0kPKLUxbKLUx1jH3dGAWUNWqI3EurY5aqFY-YfisY0KjXjF473RUpDJuT4y2CLXVgn1FarMByLT7NV6Du8QwPYHcs7\
        mxevo1uu8ODoE3laWq-GiE0OXq-MhxgDlWNlNLG1785nPpBBV1KwEXimxBKCn5rRdoNcCSqP2JJbNmdd1xqkL3dAG_VVFg-ZN9il\
        R0S7S1sdPQ0OpWqR8skvRz9VdEz046gQj1eeNwLuFA",
        "wUH8aW1k7Rz27zb8Pp2I94ACLmfuRutQjTQl535UQqCffot_dHIC7Y3dUKlLAJLrrboydZ-OgOPbXJZrsOg_1XRQZ-9t6H6QIv9Z\
        yk_ZeYoCV6DV2yrXkJmJJZxMimKuBRJWGa5uvRkdDy7j3CT5vHNEqMt327NNH3C6DGX7zNRWyzbTUr7QKT7aRcjll7bsoAZfJQ5v\
        3YyvgoKk6LVua5dbX06K4TPMnUrZ_5oT6LLuD4890MWVu2pTKZ9CU9OgfSFhxcXNEKP_LY7WaSA_ZgV6mlAsM5nfaD8xCVFemV_x\
        sgtmKYvZHTrCa4KhJpu11WI2e6KXpD3CCbNa7YN79w",
    ];

    fn is_signed(signature: &str, message: &str, algorithm: Algorithm) -> bool {
        let _ = RING.install_default();
        let key = DecodingKey::from_rsa_components(MODULUS, "AQAB").unwrap();
        verify(signature, message.as_bytes(), &key, algorithm).unwrap_or(false)
    }

    #[test]
    fn a_signature_by_rsa_is_good_for_its_algorithm_and_its_message_only() {
        let [pkcs1, pss] = SIGNATURES;
        assert!(is_signed(pkcs1, "what is signed", Algorithm::RS256));
        assert!(is_signed(pss, "what is signed", Algorithm::PS256));
        assert!(!is_signed(pkcs1, "what is sighed", Algorithm::RS256));
        for algorithm in [Algorithm::PS256, Algorithm::RS384, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
            assert!(!is_signed(pkcs1, "what is signed", algorithm), "{algorithm:?}");
        }
    }

    #[test]
    fn a_signature_by_an_edwards_curve_is_recognised() {
        use ring::signature::{Ed25519KeyPair, KeyPair};
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let signature = key.sign(b"what is signed");
        let public = DecodingKey::from_ed_der(key.public_key().as_ref());
        let verifier = (RING.verifier_factory)(&Algorithm::EdDSA, &public).unwrap();
        assert!(verifier.verify(b"what is signed", &signature.as_ref().to_vec()).is_ok());
        assert!(verifier.verify(b"what is sighed", &signature.as_ref().to_vec()).is_err());
    }
}
