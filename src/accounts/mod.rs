//! The settings of accounts.

use crate::context::{Context, Freshness};
use crate::domain::ids::Revision;
use crate::domain::settings::Settings;
use crate::ledger::{Error, Ledger};
use crate::page::Read;

/// The settings in force, and the revision that last changed them.
pub async fn settings(
    ledger: &Ledger,
    context: &Context,
    freshness: Freshness,
) -> Result<Read<(Settings, Revision)>, Error> {
    let reading = ledger.book(context, freshness).await?;
    Ok(reading.ask(|book| {
        let (settings, changed) = book.settings();
        Read { revision: book.revision(), value: (settings.clone(), changed) }
    }))
}
