//! An ordered list of slots whose order lies outside of it, in the columns the slots point to.
//!
//! Written by hand because the ordered collections of the standard library and of the usual crates keep their keys inside: with
//! four orders and ids of 36 bytes that would multiply the memory of a book. Here an entry costs four bytes in a chunk.

use std::cmp::Ordering;

use super::memory::allocated;

/// The place of a lead in the columns.
pub(super) type Slot = u32;

/// Entries per chunk at most: small enough that an insert moves little, large enough that there are few chunks.
const CHUNK: usize = 512;
/// Entries per chunk of a list that is made at once: with some room, so that the first inserts do not split every chunk.
const FILLED: usize = CHUNK / 8 * 7;

/// An ordered list of distinct slots. Every method that searches takes a function that tells how a slot of the list compares to
/// what is sought; it must be consistent with the order the slots were inserted in.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    chunks: Vec<Vec<Slot>>,
    /// Bytes that the chunks take.
    heap: usize,
}

/// A place in the list: between two slots.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    chunk: usize,
    at: usize,
}

impl Ordered {
    /// The empty list.
    pub(super) const EMPTY: Self = Self { chunks: Vec::new(), heap: 0 };

    /// Bytes of memory it takes, beside itself.
    pub(super) fn bytes(&self) -> usize {
        allocated(self.chunks.capacity() * size_of::<Vec<Slot>>()) + self.heap
    }

    /// The list of slots that are in order already.
    pub(super) fn of_sorted(mut slots: impl ExactSizeIterator<Item = Slot>) -> Self {
        let mut list = Self { chunks: Vec::with_capacity(slots.len().div_ceil(FILLED)), heap: 0 };
        while slots.len() > 0 {
            let chunk: Vec<_> = slots.by_ref().take(FILLED).collect();
            list.heap += bytes(&chunk);
            list.chunks.push(chunk);
        }
        list
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
        let full = &mut self.chunks[chunk];
        self.heap -= bytes(full);
        if full.len() == full.capacity() {
            // A quarter more, where a vector by itself would take twice as much.
            full.reserve_exact((full.len() / 4).max(4));
        }
        full.insert(at, slot);
        let tail = (full.len() > CHUNK).then(|| split(full, at));
        self.heap += bytes(full);
        if let Some(tail) = tail {
            self.heap += bytes(&tail);
            self.chunks.insert(chunk + 1, tail);
        }
    }

    /// Takes `slot` out; `compare` orders a slot of the list against it, and is `Equal` for it alone.
    pub(super) fn remove(&mut self, slot: Slot, compare: impl Fn(Slot) -> Ordering) {
        let Cursor { chunk, at } = self.lower_bound(&compare);
        let Some(found) = self.chunks.get_mut(chunk) else { return };
        if found.get(at) != Some(&slot) {
            return;
        }
        self.heap -= bytes(found);
        found.remove(at);
        if found.is_empty() {
            self.chunks.remove(chunk);
            return;
        }
        if found.len() < found.capacity() / 2 {
            found.shrink_to(found.len() / 4 * 5);
        }
        self.heap += bytes(found);
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

fn bytes(chunk: &Vec<Slot>) -> usize {
    allocated(chunk.capacity() * size_of::<Slot>())
}

/// Splits a full chunk and returns its end: the half, or what was put behind its old entries when it grew there.
fn split(full: &mut Vec<Slot>, grown_at: usize) -> Vec<Slot> {
    let middle = if grown_at + 1 == full.len() { grown_at } else { full.len() / 2 };
    let tail = full.split_off(middle);
    full.shrink_to(middle / 4 * 5);
    tail
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
        fn it_can_be_made_at_once(slots in proptest::collection::btree_set(0..5_000_u32, 0..3_000), more in 0..5_000_u32) {
            let mut list = Ordered::of_sorted(slots.iter().copied().collect::<Vec<_>>().into_iter());
            prop_assert_eq!(list.chunks.concat().len(), slots.len());
            if !slots.contains(&more) {
                list.insert(more, seek(more));
                list.remove(more, seek(more));
            }
            prop_assert!(list.ascending(seek(0)).eq(slots.iter().copied()));
            prop_assert_eq!(list.heap, list.chunks.iter().map(bytes).sum::<usize>());
        }

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
            prop_assert_eq!(list.chunks.concat().len(), set.len());
            prop_assert_eq!(list.heap, list.chunks.iter().map(bytes).sum::<usize>());
            prop_assert_eq!(list.rank(seek(sought)), set.range(..sought).count());
            prop_assert!(list.ascending(seek(sought)).eq(set.range(sought..).copied()));
            prop_assert!(list.descending(seek(sought)).eq(set.range(..sought).rev().copied()));
        }
    }
}
