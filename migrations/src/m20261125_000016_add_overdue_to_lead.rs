use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261125_000016_add_overdue_to_lead", sql };

// The revision of the ownership of which others were told that nobody has had the lead for too long. As soon as the lead has
// another ownership, whoever gave it, this one says nothing any more.
fn sql(dialect: &Dialect) -> String {
    format!("ALTER TABLE lead ADD COLUMN overdue_revision {} NOT NULL DEFAULT 0", dialect.bigint)
}
