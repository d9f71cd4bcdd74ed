//! What is measured, one file for each kind.

mod assign;
mod batch;
mod bulk;
mod count;
mod footprint;
mod mixed;
mod owner;
mod page;
mod watch;

use super::measure::Measurement;
use super::world::Store::{Postgres, Sqlite};
use assign::{Assign, Figure};
use batch::Batch;
use bulk::Bulk;
use count::Count;
use footprint::Footprint;
use mixed::Mixed;
pub use owner::get;
use owner::{Freshness, Owner};
use page::Page;
use watch::FanOut;

/// Everything, in order. Reads come before what spreads the leads over other owners: every page is full.
pub fn all() -> Vec<Box<dyn Measurement>> {
    vec![
        Box::new(Footprint::Lead),
        Box::new(Footprint::Empty),
        Box::new(Footprint::Start),
        Box::new(Footprint::Binary),
        Box::new(Owner { store: Postgres, freshness: Freshness::StrictAmongTwo }),
        Box::new(Owner { store: Postgres, freshness: Freshness::AtLeast }),
        Box::new(Owner { store: Sqlite, freshness: Freshness::StrictAlone }),
        Box::new(Page),
        Box::new(Batch::Owners),
        Box::new(Batch::Senders),
        Box::new(Count),
        Box::new(Assign { store: Postgres, callers: 256, accounts: 10, figure: Figure::Rate }),
        Box::new(Assign { store: Postgres, callers: 64, accounts: 1, figure: Figure::Rate }),
        Box::new(Assign { store: Postgres, callers: 1, accounts: 10, figure: Figure::Median }),
        Box::new(Mixed),
        Box::new(FanOut),
        Box::new(Bulk),
        Box::new(Assign { store: Sqlite, callers: 64, accounts: 10, figure: Figure::Rate }),
    ]
}
