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

/// What the allocator takes for so many bytes: it rounds to 16, and keeps some itself.
pub fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16) }
}

/// What an id takes, which is shared by all who name it.
pub fn shared(id: &str) -> usize {
    allocated(COUNTERS + id.len())
}
