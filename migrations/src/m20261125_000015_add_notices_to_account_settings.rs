use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261125_000015_add_notices_to_account_settings", sql };

// The columns after it say something only where `notices_revision` is the `revision` of the row. The release before replaces the
// settings without them: they are not set any more then, as in the log, and what is in the row is left over. `overdue_after` has microseconds, or 0 for never.
fn sql(dialect: &Dialect) -> String {
    let Dialect { bigint, boolean, .. } = dialect;
    format!(
        "ALTER TABLE account_settings ADD COLUMN notices_revision {bigint} NOT NULL DEFAULT 0;
ALTER TABLE account_settings ADD COLUMN notify_new_owner {boolean} NOT NULL DEFAULT false
    CONSTRAINT account_settings_notify_new_owner_check CHECK (notify_new_owner IN (false, true));
ALTER TABLE account_settings ADD COLUMN overdue_after {bigint};
ALTER TABLE account_settings ADD COLUMN overdue_from {bigint}"
    )
}
