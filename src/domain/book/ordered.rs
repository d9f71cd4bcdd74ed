//! An ordered list of slots whose order lies outside of it, in the columns the slots point to.
//!
//! Written by hand because the ordered collections of the standard library and of the usual crates keep their keys inside: with
//! four orders and ids of 36 bytes that would multiply the memory of a book. Here an entry costs four bytes in a chunk.

use std::cmp::Ordering;

/// The place of a lead in the columns.
pub(super) type Slot = u32;

/// Entries per chunk at most: small enough that an insert moves little, large enough that there are few chunks.
const CHUNK: usize = 512;

/// An ordered list of distinct slots. Every method that searches takes a function that tells how a slot of the list compares to
/// what is sought; it must be consistent with the order the slots were inserted in.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    chunks: Vec<Vec<Slot>>,
    len: usize,
}

/// A place in the list: between two slots.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    chunk: usize,
    at: usize,
}

impl Ordered {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<Vec<Slot>>()
            + self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Slot>()).sum::<usize>()
    }

    /// Puts `slot` in its place; `compare` orders a slot of the list against it.
    pub(super) fn insert(&mut self, slot: Slot, compare: impl Fn(Slot) -> Ordering) {
        let Cursor { chunk, at } = self.lower_bound(&compare);
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        // A slot that belongs between two chunks goes to the end of the first, so that rising keys fill chunks up.
        let (chunk, at) = match chunk.checked_sub(1) {
            Some(before) if at == 0 => (before, self.chunks[before].len()),
            _ => (chunk, at),
        };
        self.chunks[chunk].insert(at, slot);
        self.len += 1;
        if self.chunks[chunk].len() > CHUNK {
            self.split(chunk, at);
        }
    }

    /// Splits a full chunk: in the middle, or behind its old entries when it grew at the end.
    fn split(&mut self, chunk: usize, grown_at: usize) {
        let full = &mut self.chunks[chunk];
        let middle = if grown_at + 1 == full.len() { grown_at } else { full.len() / 2 };
        let tail = full.split_off(middle);
        self.chunks.insert(chunk + 1, tail);
    }

    /// Takes `slot` out; `compare` orders a slot of the list against it, and is `Equal` for it alone.
    pub(super) fn remove(&mut self, slot: Slot, compare: impl Fn(Slot) -> Ordering) {
        let Cursor { chunk, at } = self.lower_bound(&compare);
        let Some(found) = self.chunks.get_mut(chunk) else { return };
        if found.get(at) == Some(&slot) {
            found.remove(at);
            self.len -= 1;
            if found.is_empty() {
                self.chunks.remove(chunk);
            }
        }
    }

    /// How many slots come before what is sought.
    pub(super) fn rank(&self, compare: impl Fn(Slot) -> Ordering) -> usize {
        let Cursor { chunk, at } = self.lower_bound(&compare);
        self.chunks[..chunk].iter().map(Vec::len).sum::<usize>() + at
    }

    /// The slots that do not come before what is sought, in order.
    pub(super) fn ascending(&self, compare: impl Fn(Slot) -> Ordering) -> impl Iterator<Item = Slot> + '_ {
        let Cursor { chunk, at } = self.lower_bound(&compare);
        let chunks = self.chunks.get(chunk..).unwrap_or_default();
        chunks.iter().flatten().skip(at).copied()
    }

    /// The slots that come before what is sought, in reverse order.
    pub(super) fn descending(&self, compare: impl Fn(Slot) -> Ordering) -> impl Iterator<Item = Slot> + '_ {
        let Cursor { chunk, at } = self.lower_bound(&compare);
        let partial = self.chunks.get(chunk).map(|found| &found[..at]).unwrap_or_default();
        let whole = &self.chunks[..chunk.min(self.chunks.len())];
        partial.iter().rev().chain(whole.iter().rev().flat_map(|chunk| chunk.iter().rev())).copied()
    }

    /// Where the first slot stands that does not come before what is sought.
    fn lower_bound(&self, compare: &impl Fn(Slot) -> Ordering) -> Cursor {
        let before = |slot: &Slot| compare(*slot) == Ordering::Less;
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(before));
        let at = self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(before));
        Cursor { chunk, at }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn seek(sought: Slot) -> impl Fn(Slot) -> Ordering {
        move |slot| slot.cmp(&sought)
    }

    #[test]
    fn rising_keys_fill_the_chunks() {
        let mut list = Ordered::default();
        for slot in 0..10_000 {
            list.insert(slot, seek(slot));
        }
        assert_eq!(list.chunks.len(), 10_000_usize.div_ceil(CHUNK));
    }

    proptest! {
        #[test]
        fn it_holds_what_an_ordered_set_holds(
            steps in proptest::collection::vec((any::<bool>(), 0..3_000_u32), 0..4_000),
            sought in 0..3_000_u32,
        ) {
            let (mut list, mut set) = (Ordered::default(), BTreeSet::new());
            for (add, slot) in steps {
                if add && set.insert(slot) {
                    list.insert(slot, seek(slot));
                } else if !add {
                    set.remove(&slot);
                    list.remove(slot, seek(slot));
                }
            }
            prop_assert_eq!(list.len(), set.len());
            prop_assert_eq!(list.is_empty(), set.is_empty());
            prop_assert_eq!(list.rank(seek(sought)), set.range(..sought).count());
            prop_assert!(list.ascending(seek(sought)).eq(set.range(sought..).copied()));
            prop_assert!(list.descending(seek(sought)).eq(set.range(..sought).rev().copied()));
        }
    }
}
