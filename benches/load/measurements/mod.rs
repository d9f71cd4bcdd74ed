//! What is measured, one file for each kind.

mod assign;
mod backlog;
mod batch;
mod bulk;
mod catch_up;
mod count;
mod deep;
mod delivery;
mod export;
mod first;
mod footprint;
mod growth;
mod mixed;
mod owner;
mod page;
mod receipt;
mod watch;
mod watchers;

use super::measure::Measurement;
use super::world::Store::{Postgres, Sqlite};
use assign::{Assign, Figure};
use backlog::Backlog;
use batch::Batch;
use bulk::Bulk;
use catch_up::CatchUp;
use count::Count;
use deep::Deep;
use delivery::Delivery;
use export::{Export, Writers};
use first::FirstUse;
use footprint::Footprint;
use growth::Growth;
use mixed::Mixed;
use owner::{Freshness, Owner};
use page::Page;
use receipt::Receipt;
use watch::Live;
use watchers::Idle;

/// Everything, in order. Reads come before what spreads the leads over other owners.
pub fn all() -> Vec<Box<dyn Measurement>> {
    vec![
        Box::new(Footprint::Start),
        Box::new(Footprint::Binary),
        Box::new(Footprint::Empty),
        Box::new(Footprint::Lead),
        Box::new(Idle),
        Box::new(FirstUse),
        Box::new(Owner { store: Postgres, freshness: Freshness::StrictAmongTwo }),
        Box::new(Owner { store: Postgres, freshness: Freshness::AtLeast }),
        Box::new(Owner { store: Sqlite, freshness: Freshness::StrictAlone }),
        Box::new(Page::Strict),
        Box::new(Page::AtLeast),
        Box::new(Deep),
        Box::new(Batch::Owners),
        Box::new(Batch::Senders),
        Box::new(Export),
        Box::new(Writers),
        Box::new(Count),
        Box::new(Assign { store: Postgres, callers: 256, accounts: 10, figure: Figure::Rate }),
        Box::new(Assign { store: Postgres, callers: 64, accounts: 1, figure: Figure::Rate }),
        Box::new(Assign { store: Postgres, callers: 1, accounts: 10, figure: Figure::Median }),
        Box::new(Assign { store: Sqlite, callers: 64, accounts: 1, figure: Figure::Rate }),
        Box::new(Assign { store: Sqlite, callers: 64, accounts: 10, figure: Figure::Rate }),
        Box::new(Bulk),
        Box::new(Mixed),
        Box::new(CatchUp),
        Box::new(Live),
        Box::new(Receipt),
        Box::new(Backlog),
        Box::new(Delivery { percentile: 50 }),
        Box::new(Delivery { percentile: 99 }),
        Box::new(Growth),
    ]
}
