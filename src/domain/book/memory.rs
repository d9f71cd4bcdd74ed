//! How much memory a book takes.

use super::Book;

impl Book {
    /// Bytes of memory it takes, from the capacities of its parts.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.leads.bytes() + self.roster.bytes()
    }
}
