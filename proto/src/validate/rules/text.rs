use std::{fmt, sync::OnceLock};

use regex::Regex;

use super::Rule;

/// A rule for text.
pub(in crate::validate) enum StringRule {
    /// At least this many characters.
    MinLen(usize),
    /// At most this many characters.
    MaxLen(usize),
    /// At most this many bytes in UTF-8.
    MaxBytes(usize),
    /// Contains a match.
    Pattern(&'static Pattern),
    /// 32 hexadecimal digits of any case, grouped by hyphens.
    Uuid,
    /// What a browser takes for an e-mail address.
    Email,
}

impl Rule for StringRule {
    type Value = str;

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::MinLen(min) => value.chars().count() >= *min,
            Self::MaxLen(max) => value.chars().count() <= *max,
            Self::MaxBytes(max) => value.len() <= *max,
            Self::Pattern(pattern) => pattern.matches(value),
            Self::Uuid => is_uuid(value),
            Self::Email => is_email(value),
        }
    }
}

impl fmt::Display for StringRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinLen(1) => f.write_str("must not be empty"),
            Self::MinLen(min) => write!(f, "must have at least {min} characters"),
            Self::MaxLen(max) => write!(f, "must have at most {max} characters"),
            Self::MaxBytes(max) => write!(f, "must have at most {max} bytes"),
            Self::Pattern(pattern) => f.write_str(pattern.description),
            Self::Uuid => f.write_str("must be a UUID"),
            Self::Email => f.write_str("must be an e-mail address"),
        }
    }
}

/// A regular expression that texts must match, compiled when it is first needed.
pub(in crate::validate) struct Pattern {
    source: &'static str,
    description: &'static str,
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The build refuses a `source` that is no regular expression; `description` puts it into words.
    pub(in crate::validate) const fn new(source: &'static str, description: &'static str) -> Self {
        Self { source, description, regex: OnceLock::new() }
    }

    fn matches(&self, value: &str) -> bool {
        let regex = self.regex.get_or_init(|| Regex::new(self.source).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(value))
    }
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The definition of HTML's e-mail fields, which is also protovalidate's.
fn is_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && local.bytes().all(is_local) && domain.split('.').all(is_label)
    })
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
