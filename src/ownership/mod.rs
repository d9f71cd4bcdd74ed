//! Who owns which lead: answers about the present, one file each. What was is told by [`crate::history`].

mod count;
mod get;
mod list;
mod senders;

pub use count::{CountRequest, Counting, count};
pub use get::{Owner, Owners, Terms, owner, owners};
pub use list::{ListRequest, Listing, list};
pub use senders::{CampaignRequest, SendersRequest, campaign, resolve_senders};
