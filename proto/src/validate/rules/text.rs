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

/// A regular expression that texts must match.
pub(in crate::validate) struct Pattern {
    description: &'static str,
    means: Means,
}

/// How a text is compared with a pattern.
enum Means {
    /// By an expression, compiled when it is first needed.
    Regex(&'static str, OnceLock<Option<Regex>>),
    /// By hand: ids stand in every request, and up to a thousand in some.
    Id,
}

impl Pattern {
    /// The build refuses a `source` that is no regular expression; `description` puts it into words.
    pub(in crate::validate) const fn new(source: &'static str, description: &'static str) -> Self {
        Self { description, means: Means::Regex(source, OnceLock::new()) }
    }

    /// The pattern of ids, `^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`.
    pub(in crate::validate) const fn id(description: &'static str) -> Self {
        Self { description, means: Means::Id }
    }

    fn matches(&self, value: &str) -> bool {
        match &self.means {
            Means::Regex(source, regex) => {
                let regex = regex.get_or_init(|| Regex::new(source).ok());
                regex.as_ref().is_some_and(|regex| regex.is_match(value))
            }
            Means::Id => is_id(value),
        }
    }
}

fn is_id(value: &str) -> bool {
    value.len() <= 64
        && value.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_its_pattern_says() {
        let by_regex = Pattern::new("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", "");
        let by_hand = Pattern::id("");
        let characters = || (0..=0x2ff).filter_map(char::from_u32);
        let short = characters().flat_map(|last| ["", "a", "_", "-", "9", "\n"].map(|first| format!("{first}{last}")));
        let long = (0..70).flat_map(|length| ["a", "-", "ä"].map(|text| format!("Z{}", text.repeat(length))));
        for text in short.chain(long).chain([String::new()]) {
            assert_eq!(by_hand.matches(&text), by_regex.matches(&text), "{text:?}");
        }
    }
}
