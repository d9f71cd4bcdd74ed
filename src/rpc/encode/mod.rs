//! Answers about many leads, written straight from the book that knows them.
//!
//! They are what the service is asked for most, and most of the time of an answer would go into building messages that are
//! taken apart again at once. The numbers of the fields therefore stand here a second time; tests compare what is written with
//! what prost makes of the same message. All other answers are made by `convert`.

mod counts;
mod leads;
mod senders;
mod writer;

pub(super) use counts::count_by_owner;
pub(super) use leads::{batch_get_owners, get_owner, list_by_owner};
pub(super) use senders::{SenderStream, resolve_senders};
