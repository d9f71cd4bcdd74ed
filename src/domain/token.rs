//! Page tokens: opaque, bound to what they were made for, and authenticated.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ids::AccountId;

/// The token was not made here, or for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token was not made for this request")]
pub struct InvalidToken;

/// What a token is good for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The method.
    pub method: &'static str,
    /// SHA-256 of the arguments that must not change from page to page.
    pub arguments: [u8; 32],
}

/// Makes and checks tokens. All replicas of a database share one key.
#[derive(Debug, Clone)]
pub struct TokenKey(hmac::Key);

const TAG_BYTES: usize = 32;

impl TokenKey {
    /// The key of a history, made of 32 random bytes. After a restore the history has another name, and tokens from before, which
    /// may lead to what is not there any more, are refused.
    pub fn new(bytes: &[u8; 32], history_id: &str) -> Self {
        let all = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Self(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&all, history_id.as_bytes()).as_ref()))
    }

    /// A token that carries `position`.
    pub fn seal(&self, scope: Scope<'_>, position: &impl Serialize) -> String {
        // Positions are plain structs of numbers and strings: there is nothing in them that JSON cannot hold.
        let mut bytes = serde_json::to_vec(position).unwrap_or_default();
        let tag = hmac::sign(&self.0, &signed(scope, &bytes));
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What the token carries, if it was made with this key for this scope.
    pub fn open<T: DeserializeOwned>(&self, scope: Scope<'_>, token: &str) -> Result<T, InvalidToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidToken)?;
        let at = bytes.len().checked_sub(TAG_BYTES).ok_or(InvalidToken)?;
        let (position, tag) = bytes.split_at(at);
        hmac::verify(&self.0, &signed(scope, position), tag).map_err(|_| InvalidToken)?;
        serde_json::from_slice(position).map_err(|_| InvalidToken)
    }
}

/// The bytes under the signature. Account and method hold no zero byte, so no two scopes give the same.
fn signed(scope: Scope<'_>, position: &[u8]) -> Vec<u8> {
    let Scope { account, method, arguments } = scope;
    [account.as_str().as_bytes(), &[0], method.as_bytes(), &[0], &arguments, position].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        AccountId::parse(id).unwrap()
    }

    fn key() -> TokenKey {
        TokenKey::new(&[7; 32], "h")
    }

    #[test]
    fn a_token_opens_to_what_was_sealed() {
        let account = account("a");
        let scope = Scope { account: &account, method: "List", arguments: [1; 32] };
        let token = key().seal(scope, &(42, "x"));
        assert_eq!(key().open::<(i64, String)>(scope, &token), Ok((42, "x".to_owned())));
    }

    #[test]
    fn a_token_opens_neither_for_another_account_nor_method_nor_arguments_nor_key_nor_history() {
        let (a, b) = (account("a"), account("b"));
        let scope = Scope { account: &a, method: "List", arguments: [1; 32] };
        let token = key().seal(scope, &42);
        for other in
            [Scope { account: &b, ..scope }, Scope { method: "Count", ..scope }, Scope { arguments: [2; 32], ..scope }]
        {
            assert_eq!(key().open::<i64>(other, &token), Err(InvalidToken));
        }
        for other in [TokenKey::new(&[8; 32], "h"), TokenKey::new(&[7; 32], "i")] {
            assert_eq!(other.open::<i64>(scope, &token), Err(InvalidToken));
        }
    }

    #[test]
    fn a_token_with_any_byte_changed_or_cut_off_does_not_open() {
        let account = account("a");
        let scope = Scope { account: &account, method: "List", arguments: [1; 32] };
        let token = key().seal(scope, &42);
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key().open::<i64>(scope, &String::from_utf8(forged).unwrap()), Err(InvalidToken));
            assert_eq!(key().open::<i64>(scope, &token[..at]), Err(InvalidToken));
        }
    }
}
