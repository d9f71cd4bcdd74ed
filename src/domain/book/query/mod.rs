//! Questions to a book, one file each.

mod count;
mod list;
mod load;
mod pick;
mod selection;
mod senders;
mod unassigned;

pub use count::{Counted, OwnerCount, StageCount};
pub use list::{LeadPage, ListQuery, Place};
pub use selection::{LeadFilter, OwnerSelector};
pub use senders::SenderKey;
pub(super) use senders::sender;
