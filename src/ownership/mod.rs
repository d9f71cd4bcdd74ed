//! Who owns which lead: answers about the present, one file each. What was is told by [`crate::history`].

mod count;
mod get;
mod list;
mod senders;

pub use count::{CountRequest, Counting, count};
pub use get::{OwnerAnswer, OwnersAnswer, get, get_batch};
pub use list::{ListRequest, Listing, list};
pub use senders::{Sender, SenderAnswer, Step, resolve_senders};
