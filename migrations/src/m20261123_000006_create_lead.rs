use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000006_create_lead", sql };

// No index but the key: questions about leads are answered from memory.
fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, boolean, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "WITH (fillfactor = 90)");
    format!(
        "CREATE TABLE lead (
    account_id       {id} NOT NULL,
    lead_id          {id} NOT NULL,
    owner_id         {id},
    owner_since      {bigint} NOT NULL,
    revision         {bigint} NOT NULL,
    stage            text NOT NULL,
    stage_entered_at {bigint} NOT NULL,
    closed           {boolean} NOT NULL,
    created_at       {bigint} NOT NULL,
    source           text NOT NULL,
    attributes       text NOT NULL,
    observed_at      {bigint} NOT NULL,
    CONSTRAINT lead_pk PRIMARY KEY (account_id, lead_id),
    CONSTRAINT lead_revision_check CHECK (revision >= 1),
    CONSTRAINT lead_closed_check CHECK (closed IN (false, true))
) {options}"
    )
}
