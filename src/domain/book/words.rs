//! Words that many leads share, as numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::memory::{allocated, shared};

/// Words, numbered in the order they first come. They are few and never forgotten while the book lives. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Words(Arc<Numbered>);

#[derive(Debug, Clone)]
struct Numbered {
    words: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, u32>,
    bytes: usize,
}

impl Default for Words {
    /// The empty word alone, which is number 0.
    fn default() -> Self {
        let mut words = Self(Arc::new(Numbered { words: Vec::new(), numbers: BTreeMap::new(), bytes: 0 }));
        words.intern("");
        words
    }
}

impl Words {
    pub(super) fn number(&self, word: &str) -> Option<u32> {
        self.0.numbers.get(word).copied()
    }

    pub(super) fn word(&self, number: u32) -> &str {
        &self.0.words[number as usize]
    }

    /// The number of a word, which gets one if it has none yet.
    pub(super) fn intern(&mut self, word: &str) -> u32 {
        if let Some(number) = self.number(word) {
            return number;
        }
        let numbered = Arc::make_mut(&mut self.0);
        let number = u32::try_from(numbered.words.len()).unwrap_or(u32::MAX);
        let word: Arc<str> = word.into();
        numbered.bytes += shared(&word);
        numbered.words.push(Arc::clone(&word));
        numbered.numbers.insert(word, number);
        number
    }

    /// Bytes of memory they take. A node of the map is two thirds full on average.
    pub(super) fn bytes(&self) -> usize {
        let entry = size_of::<Arc<str>>() + size_of::<u32>();
        self.0.bytes + allocated(self.0.words.capacity() * size_of::<Arc<str>>()) + self.0.words.len() * entry * 3 / 2
    }
}
