//! Ids: opaque words of other services, compared byte by byte.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An id of another form than `^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 letters, digits, `_` and `-`, and starts with a letter or digit")]
pub struct InvalidId;

/// Longest id, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// Whether a text has the form of an id.
pub fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= MAX_ID_BYTES
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A name of another form than 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a caller has a name of 1 to 255 visible ASCII characters")]
pub struct InvalidCaller;

/// Longest name of a caller, in bytes: the longest subject that OpenID Connect allows.
const MAX_CALLER_BYTES: usize = 255;

/// Whether a text can be the name of a caller. Issuers of tokens and certificates have conventions of their own: URIs, addresses.
fn is_caller(text: &str) -> bool {
    (1..=MAX_CALLER_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        id! { $(#[$meta])* $name: is_id else InvalidId }
    };
    ($(#[$meta:meta])* $name:ident: $has_form:ident else $error:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id in `text`, if it has the form of one.
            pub fn parse(text: &str) -> Result<Self, $error> {
                if $has_form(text) { Ok(Self(text.into())) } else { Err($error) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// An account: a tenant of the CRM.
    AccountId
}
id! {
    /// A lead.
    LeadId
}
id! {
    /// A member of an account: somebody who can own leads.
    MemberId
}
id! {
    /// Ties changes of several requests together.
    BatchId
}
id! {
    /// A caller, as it was authenticated: the subject of its token, or the name in its certificate.
    CallerId: is_caller else InvalidCaller
}

/// The number of a committed request in its account: dense from 1; 0 is "nothing yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Revision(pub i64);

impl Revision {
    /// Before the first request.
    pub const ZERO: Self = Self(0);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_64_bytes_is_accepted_and_one_of_65_is_not() {
        assert!(LeadId::parse(&"a".repeat(64)).is_ok());
        assert_eq!(LeadId::parse(&"a".repeat(65)), Err(InvalidId));
    }

    #[test]
    fn an_id_neither_is_empty_nor_starts_with_punctuation_nor_holds_other_characters() {
        for bad in ["", "-a", "_a", "a b", "a.b", "a*", "ä", "a\0", "a\n", "a>"] {
            assert_eq!(MemberId::parse(bad), Err(InvalidId), "{bad:?}");
        }
    }

    #[test]
    fn a_caller_may_have_the_name_that_its_issuer_gave_it() {
        for good in
            ["anonymous", "spiffe://crm.example/ns/prod/sa/board", "auth0|5f7c", "anna@example.com", &"a".repeat(255)]
        {
            assert!(CallerId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\n", "\u{1b}[2J", "ä", &"a".repeat(256)] {
            assert_eq!(CallerId::parse(bad), Err(InvalidCaller), "{bad:?}");
        }
    }

    #[test]
    fn ids_that_differ_in_case_differ() {
        assert_ne!(LeadId::parse("a"), LeadId::parse("A"));
    }
}
