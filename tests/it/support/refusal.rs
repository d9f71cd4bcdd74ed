//! A refused call, taken apart, and held against the catalogue.

use std::collections::BTreeMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

use super::catalogue::{catalogue, name_of};

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "ownership.leadflip";

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: Code,
    pub reason: String,
    pub metadata: BTreeMap<String, String>,
    /// The paths of the offending fields, in order.
    pub fields: Vec<String>,
    pub retry_after: Option<Duration>,
    pub message: String,
}

/// Takes a status apart. Fails unless it carries exactly one `ErrorInfo`, of our domain, with a reason of the
/// catalogue, the code that belongs to it, no key but its own, and no word of a driver in the message.
pub fn refusal(status: Status) -> Refusal {
    let details = status.check_error_details_vec().expect("details that can be read");
    let mut infos = Vec::new();
    let mut refusal = Refusal {
        code: status.code(),
        reason: String::new(),
        metadata: BTreeMap::new(),
        fields: Vec::new(),
        retry_after: None,
        message: status.message().to_owned(),
    };
    for detail in details {
        match detail {
            ErrorDetail::ErrorInfo(info) => infos.push(info),
            ErrorDetail::BadRequest(bad) => {
                refusal.fields.extend(bad.field_violations.into_iter().map(|violation| violation.field));
            }
            ErrorDetail::RetryInfo(retry) => refusal.retry_after = retry.retry_delay,
            _ => {}
        }
    }
    assert_eq!(infos.len(), 1, "exactly one ErrorInfo in {status:?}");
    let info = infos.remove(0);
    assert_eq!(info.domain, DOMAIN);
    refusal.reason = info.reason;
    refusal.metadata = info.metadata.into_iter().collect();
    refusal.hold_against_the_catalogue();
    refusal
}

impl Refusal {
    fn hold_against_the_catalogue(&self) {
        let entry = catalogue().get(&self.reason).unwrap_or_else(|| panic!("{self:?} is not in the catalogue"));
        assert_eq!(name_of(self.code), entry.code, "the code of {self:?}");
        for key in self.metadata.keys() {
            assert!(entry.keys.contains(key), "{key} is no metadata key of {self:?}");
        }
        let message = self.message.to_lowercase();
        for word in ["sqlx", "sqlite", "postgres", "select ", "insert ", "panicked", ".rs:"] {
            assert!(!message.contains(word), "{word:?} leaks in {self:?}");
        }
        assert!(!message.is_empty(), "{self:?} says nothing to people");
    }

    /// Fails unless it was refused for this reason.
    #[track_caller]
    pub fn is(self, reason: &str) -> Self {
        assert_eq!(self.reason, reason, "{self:?}");
        self
    }

    /// Fails unless the metadata say so.
    #[track_caller]
    pub fn says(self, key: &str, value: impl ToString) -> Self {
        assert_eq!(self.metadata.get(key), Some(&value.to_string()), "{key} of {self:?}");
        self
    }

    /// Fails if the metadata have the key.
    #[track_caller]
    pub fn lacks(self, key: &str) -> Self {
        assert_eq!(self.metadata.get(key), None, "{key} of {self:?}");
        self
    }

    /// Fails unless exactly these fields are named, in this order.
    #[track_caller]
    pub fn names(self, fields: &[&str]) -> Self {
        assert_eq!(self.fields, fields, "{self:?}");
        self
    }

    /// A number of the metadata.
    #[track_caller]
    pub fn number(&self, key: &str) -> i64 {
        let value = self.metadata.get(key).unwrap_or_else(|| panic!("{key} of {self:?}"));
        value.parse().unwrap_or_else(|_| panic!("{key} of {self:?} is a number"))
    }
}
