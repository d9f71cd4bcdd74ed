//! How much memory a book takes.

use super::Book;

impl Book {
    /// Bytes of memory it takes, from the capacities of its parts.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.leads.bytes() + self.roster.bytes()
    }
}

/// The two counters in front of everything that is shared.
pub const COUNTERS: usize = 2 * size_of::<usize>();

/// What the allocator takes for so many bytes: the next larger of its sizes, of which jemalloc has four for each power of two.
pub fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=128 => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of(bytes.next_power_of_two() / 8),
    }
}

/// What an id takes, which is shared by all who name it.
pub fn shared(id: &str) -> usize {
    allocated(COUNTERS + id.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_allocator() {
        let sizes = [0, 1, 16, 17, 100, 129, 160, 161, 1_792, 9_216, 10_241, 16_384, 16_385];
        let taken = [0, 16, 16, 32, 112, 160, 160, 192, 1_792, 10_240, 12_288, 16_384, 20_480];
        assert_eq!(sizes.map(allocated), taken);
    }
}
