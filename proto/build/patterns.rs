//! The regular expressions of the contract, each compiled once and put into words.

use crate::Result;

/// The expression of ids, which are compared with it by hand.
const ID: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";

/// What the expressions that people meet mean. Others are quoted.
const DESCRIPTIONS: &[(&str, &str)] = &[
    (ID, "must be 1 to 64 characters: letters, digits, `_` and `-`, starting with a letter or digit"),
    (
        "^[a-z][a-z0-9_]{0,63}$",
        "must be 1 to 64 characters: lower-case letters, digits and `_`, starting with a letter",
    ),
    (r"^[^\p{Cc}]*$", "must not contain control characters"),
    (r"^https?://[^ \p{Cc}]+$", "must be an http or https address without spaces"),
];

/// Classes that are ASCII in RE2, which defines the rule, and Unicode in Rust.
const AMBIGUOUS: &[&str] = &[r"\s", r"\S", r"\d", r"\D", r"\w", r"\W", r"\b", r"\B"];

/// The expressions met so far.
#[derive(Default)]
pub(crate) struct Patterns(Vec<String>);

impl Patterns {
    /// The name of the static that holds the pattern.
    pub(crate) fn name(&mut self, pattern: &str, field: &str) -> Result<String> {
        let number = match self.0.iter().position(|known| known == pattern) {
            Some(number) => number,
            None => self.add(pattern, field)?,
        };
        Ok(format!("PATTERN_{number}"))
    }

    fn add(&mut self, pattern: &str, field: &str) -> Result<usize> {
        if let Some(class) = AMBIGUOUS.iter().find(|class| pattern.contains(**class)) {
            return Err(format!("{field}: `{class}` has several meanings, write out what it stands for").into());
        }
        regex::Regex::new(pattern).map_err(|error| format!("{field}: {error}"))?;
        self.0.push(pattern.to_owned());
        Ok(self.0.len() - 1)
    }

    /// The statics.
    pub(crate) fn statics(&self) -> String {
        let define = |(number, pattern): (usize, &String)| {
            let description = describe(pattern);
            let new = if pattern == ID { "id(".to_owned() } else { format!("new({pattern:?}, ") };
            format!("static PATTERN_{number}: Pattern = Pattern::{new}{description:?});\n")
        };
        self.0.iter().enumerate().map(define).collect()
    }
}

fn describe(pattern: &str) -> String {
    DESCRIPTIONS
        .iter()
        .find(|(known, _)| *known == pattern)
        .map_or_else(|| format!("must match {pattern}"), |(_, words)| (*words).to_owned())
}
