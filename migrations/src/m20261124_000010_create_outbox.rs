use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261124_000010_create_outbox", sql };

// One row for each account with changes that may not be published yet: who publishes finds them without looking at all
// accounts. `revision` is the last of them, `since` tells when the first was made. A row is rewritten with every batch that
// comes before it is published, and none of its indexed columns changes: a half-empty page keeps the new version on it.
fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "WITH (fillfactor = 50)");
    format!(
        "CREATE TABLE outbox (
    account_id {id} NOT NULL,
    revision   {bigint} NOT NULL,
    since      {bigint} NOT NULL,
    CONSTRAINT outbox_pk PRIMARY KEY (account_id),
    CONSTRAINT outbox_revision_check CHECK (revision >= 1)
) {options}"
    )
}
