use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261124_000011_fill_outbox", sql };

// What was changed before there was an outbox waits to be published like everything else. A release that writes to it may be
// at work already.
fn sql(_: &Dialect) -> String {
    "INSERT INTO outbox (account_id, revision, since)
    SELECT account_id, revision, changed_at FROM account_head WHERE revision > 0
    ON CONFLICT (account_id) DO NOTHING"
        .to_owned()
}
