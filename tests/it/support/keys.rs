//! The keys of the configuration, read from the structs that are it: what they are called, how they are written, what they mean.

use std::collections::BTreeMap;

use ownership::config::Config;
use serde_json::Value;

use super::sources::{rust_files, text};

/// A part of the configuration.
pub struct Section {
    /// Its path, such as `server`.
    pub path: String,
    pub meaning: String,
    pub keys: Vec<Key>,
}

/// A key.
pub struct Key {
    /// Its path, such as `server.listen`.
    pub path: String,
    pub meaning: String,
    /// How its value is written.
    pub kind: String,
    /// Whether nobody may see it.
    pub secret: bool,
    /// What it is when it is not given.
    pub default: Option<String>,
}

/// A struct or an enum of the sources.
struct Type {
    meaning: String,
    members: Vec<Member>,
}

/// A field with its type and meaning; of an enum a variant, without a type.
type Member = (String, String, String);

/// All sections, in the order of the struct.
pub fn sections() -> Vec<Section> {
    let (types, defaults) = (types(), serde_json::to_value(Config::default()).unwrap());
    let members = types["Config"].members.iter();
    members.flat_map(|member| sections_of(member, &member.0, &types, &defaults[&member.0])).collect()
}

/// A section and those below it.
fn sections_of(section: &Member, path: &str, types: &BTreeMap<String, Type>, defaults: &Value) -> Vec<Section> {
    let (_, of, meaning) = section;
    let (mut keys, mut below) = (Vec::new(), Vec::new());
    for member in &types[of].members {
        let (name, of, meaning) = member;
        let path = format!("{path}.{name}");
        if types.get(of).is_some_and(|inner| inner.meaning == format!("`{path}.*`")) {
            below.extend(sections_of(member, &path, types, &defaults[name]));
            continue;
        }
        let default = match &defaults[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let (kind, secret) = written(of, types);
        keys.push(Key { path, meaning: meaning.clone(), kind, secret, default });
    }
    below.insert(0, Section { path: path.to_owned(), meaning: meaning.clone(), keys });
    below
}

/// How a value of a type is written, and whether nobody may see it.
fn written(of: &str, types: &BTreeMap<String, Type>) -> (String, bool) {
    let of = of.strip_prefix("Option<").and_then(|of| of.strip_suffix('>')).unwrap_or(of);
    let kind = match of {
        "String" => "text",
        "bool" => "`true` or `false`",
        "usize" | "u32" | "u64" => "number",
        "Duration" => "span of time",
        "SocketAddr" => "address and port",
        "PathBuf" => "path of a file",
        "Vec<String>" => "list of texts",
        "Secret" | "DatabaseUrl" => return ("secret text".to_owned(), true),
        other => {
            let variants = types.get(other).unwrap_or_else(|| panic!("say here how a {other} is written"));
            let words = variants.members.iter().map(|(name, ..)| format!("`{}`", name.to_lowercase()));
            return (words.collect::<Vec<_>>().join(" or "), false);
        }
    };
    (kind.to_owned(), false)
}

/// The structs and enums of the configuration, by name. The sources are formatted, so a line has one thing on it.
fn types() -> BTreeMap<String, Type> {
    let mut types = BTreeMap::new();
    for file in rust_files("src").into_iter().filter(|file| file.starts_with("src/config")) {
        let (mut docs, mut open) = (Vec::new(), None);
        for line in text(&file).lines().map(str::trim) {
            if let Some(doc) = line.strip_prefix("///") {
                docs.push(doc.trim().to_owned());
            } else if let Some(head) = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum ")) {
                let meaning = std::mem::take(&mut docs).join(" ");
                open = head.strip_suffix(" {").map(|name| (name.to_owned(), Type { meaning, members: Vec::new() }));
            } else if line == "}" {
                types.extend(open.take());
            } else if let Some(member) = line.strip_suffix(',').filter(|_| !docs.is_empty()) {
                let (name, of) = member.strip_prefix("pub ").unwrap_or(member).split_once(": ").unwrap_or((member, ""));
                let meaning = std::mem::take(&mut docs).join(" ");
                open.iter_mut().for_each(|(_, open)| open.members.push((name.into(), of.into(), meaning.clone())));
            } else if !line.starts_with("#[") {
                docs.clear();
            }
        }
    }
    types
}
