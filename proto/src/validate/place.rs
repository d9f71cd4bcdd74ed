use std::fmt;

const SHOWN_KEY_CHARS: usize = 64;

/// Where in a message something stands. Lives on the stack, and becomes text only when there is something to report.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The message itself.
    Message,
    /// A field or oneof, by its name in the contract.
    Field(&'a Place<'a>, &'static str),
    /// An item of a list, from 0.
    Item(&'a Place<'a>, usize),
    /// A key of a map.
    Key(&'a Place<'a>, &'a str),
    /// What a map holds under a key.
    Value(&'a Place<'a>, &'a str),
}

impl<'a> Place<'a> {
    pub(super) fn field(&'a self, name: &'static str) -> Self {
        Self::Field(self, name)
    }

    pub(super) fn item(&'a self, index: usize) -> Self {
        Self::Item(self, index)
    }

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    pub(super) fn value(&'a self, key: &'a str) -> Self {
        Self::Value(self, key)
    }

    /// What a description speaks of, where the place alone does not tell.
    pub(super) fn subject(&self) -> &'static str {
        match self {
            Place::Key(..) => "key ",
            Place::Message | Place::Field(..) | Place::Item(..) | Place::Value(..) => "",
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Message => Ok(()),
            Place::Field(Place::Message, name) => f.write_str(name),
            Place::Field(parent, name) => write!(f, "{parent}.{name}"),
            Place::Item(parent, index) => write!(f, "{parent}[{index}]"),
            Place::Key(parent, key) | Place::Value(parent, key) => {
                write!(f, "{parent}[")?;
                write_key(f, key)?;
                f.write_str("]")
            }
        }
    }
}

/// Keys come from callers: control characters are escaped and long ones end in `…`.
fn write_key(f: &mut fmt::Formatter<'_>, key: &str) -> fmt::Result {
    match key.char_indices().nth(SHOWN_KEY_CHARS) {
        Some((end, _)) => write!(f, "{:?}…", &key[..end]),
        None => write!(f, "{key:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_reads_like_the_expression_that_leads_there() {
        let leads = Place::Field(&Place::Message, "leads");
        let lead = Place::Item(&leads, 3);
        let attributes = Place::Field(&lead, "attributes");
        assert_eq!(Place::Value(&attributes, "region").to_string(), r#"leads[3].attributes["region"]"#);
    }

    #[test]
    fn a_hostile_key_is_escaped() {
        let key = Place::Key(&Place::Message, "a\"]\n\u{0}");
        assert_eq!(key.to_string(), r#"["a\"]\n\0"]"#);
    }

    #[test]
    fn a_key_is_shown_whole_up_to_64_characters() {
        let key = "ä".repeat(64);
        assert_eq!(Place::Key(&Place::Message, &key).to_string(), format!("[\"{key}\"]"));
        let longer = format!("{key}b");
        assert_eq!(Place::Key(&Place::Message, &longer).to_string(), format!("[\"{key}\"…]"));
    }
}
