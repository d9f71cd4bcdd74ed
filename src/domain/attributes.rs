//! Further facts about a lead, by name.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ends each name and each value in the packed form. The contract admits no control characters in either.
const END: char = '\0';

/// Further facts about a lead, sorted by name, in one piece of memory: a map would take half a kilobyte for each lead.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Attributes(Box<str>);

/// The same, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct AttributesRef<'a>(&'a str);

impl Attributes {
    /// Bytes of memory they take, beside themselves.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> AttributesRef<'_> {
        AttributesRef(&self.0)
    }
}

impl<'a> AttributesRef<'a> {
    /// The attributes in packed form.
    pub(super) fn from_packed(packed: &'a str) -> Self {
        Self(packed)
    }

    /// One piece of text from which they can be made again.
    pub(super) fn packed(self) -> &'a str {
        self.0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, by name.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut words = self.0.split_terminator(END);
        std::iter::from_fn(move || words.next().zip(words.next()))
    }

    /// A copy of its own.
    pub fn to_owned(self) -> Attributes {
        Attributes(self.0.into())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Attributes {
    /// Of pairs with the same name the last one stays. What the packed form cannot hold, which only a database that was edited
    /// by hand can bring up, is left out.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let sorted: BTreeMap<String, String> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut packed = String::new();
        for (name, value) in sorted.iter().filter(|(name, value)| !name.contains(END) && !value.contains(END)) {
            packed.extend([name.as_str(), "\0", value, "\0"]);
        }
        Self(packed.into())
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for AttributesRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.as_ref().iter())
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sorted_by_name_and_the_last_of_equals_stays() {
        let attributes = Attributes::from_iter([("b", "2"), ("a", ""), ("b", "3")]);
        assert_eq!(attributes.as_ref().iter().collect::<Vec<_>>(), [("a", ""), ("b", "3")]);
        assert_eq!(AttributesRef::from_packed(attributes.as_ref().packed()), attributes.as_ref());
    }

    #[test]
    fn as_json_they_are_an_object() {
        let attributes = Attributes::from_iter([("a", "1"), ("b", "\"")]);
        let json = serde_json::to_string(&attributes).unwrap();
        assert_eq!(json, r#"{"a":"1","b":"\""}"#);
        assert_eq!(serde_json::from_str::<Attributes>(&json).unwrap(), attributes);
        assert_eq!(serde_json::to_string(&Attributes::default()).unwrap(), "{}");
    }
}
