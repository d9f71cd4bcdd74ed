//! The catalogue of errors, read from the comments of the contract itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const ERRORS: &str = include_str!("../../../proto/leadflip/ownership/v1/errors.proto");

/// What the contract says of one reason.
#[derive(Debug, Default)]
pub struct Entry {
    /// The name of the status code.
    pub code: String,
    /// The metadata keys that may come with it.
    pub keys: BTreeSet<String>,
}

/// Every reason but the unspecified one, without its prefix.
pub fn catalogue() -> &'static BTreeMap<String, Entry> {
    static CATALOGUE: OnceLock<BTreeMap<String, Entry>> = OnceLock::new();
    CATALOGUE.get_or_init(|| entries(ERRORS))
}

fn entries(source: &str) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    let mut comment = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("//") {
            comment.push_str(text);
        } else {
            if let Some(name) = line.strip_prefix("ERROR_REASON_").and_then(|rest| rest.split(' ').next()) {
                entries.insert(name.to_owned(), entry(&comment));
            }
            comment.clear();
        }
    }
    entries.remove("UNSPECIFIED");
    entries
}

fn entry(comment: &str) -> Entry {
    let code = comment.trim().split('.').next().unwrap_or_default().to_owned();
    let metadata = comment.find("etadata").map_or("", |start| &comment[start..]);
    let keys = metadata.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Entry { code, keys }
}

/// The name of a status code, as the contract writes it.
pub fn name_of(code: tonic::Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
