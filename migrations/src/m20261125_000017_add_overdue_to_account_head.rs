use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261125_000017_add_overdue_to_account_head", sql };

// When the account is to be looked at for leads that nobody has owned for too long. Mostly it stays as it is when the row is
// rewritten: then the new version needs no entry in the index either.
fn sql(dialect: &Dialect) -> String {
    format!("ALTER TABLE account_head ADD COLUMN overdue_at {}", dialect.bigint)
}
