use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261125_000014_validate_notice_of_fact", sql };

// By itself, for it reads the whole table, and lets everybody work meanwhile. On SQLite the constraint came with its column.
fn sql(dialect: &Dialect) -> String {
    dialect.pick("SELECT 1", "ALTER TABLE fact VALIDATE CONSTRAINT fact_notice_check").to_owned()
}
