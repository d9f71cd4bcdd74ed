use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261125_000013_add_notice_to_fact", sql };

// What others are to be told beside what happened: that the new owner is to be notified, or that nobody has owned a lead for too
// long. The rows that are there have none, so that nothing has to be looked at.
fn sql(dialect: &Dialect) -> String {
    dialect.pick(SQLITE, POSTGRES).to_owned()
}

const SQLITE: &str = "ALTER TABLE fact ADD COLUMN notice text
    CONSTRAINT fact_notice_check CHECK (notice IN ('new_owner', 'overdue'))";

const POSTGRES: &str = "ALTER TABLE fact ADD COLUMN notice text,
    ADD CONSTRAINT fact_notice_check CHECK (notice IN ('new_owner', 'overdue')) NOT VALID";
