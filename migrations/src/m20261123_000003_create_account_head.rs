use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000003_create_account_head", sql };

// Every write updates one of these rows and none of its indexed columns: a half-empty page keeps the new version on it.
// A floor is the last revision that was trimmed away, 0 when none was: of facts that only replicas need to catch up
// (facts_floor), and of the owner changes themselves (history_floor).
fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "WITH (fillfactor = 50)");
    format!(
        "CREATE TABLE account_head (
    account_id    {id} NOT NULL,
    revision      {bigint} NOT NULL,
    changed_at    {bigint} NOT NULL,
    facts_floor   {bigint} NOT NULL,
    history_floor {bigint} NOT NULL,
    CONSTRAINT account_head_pk PRIMARY KEY (account_id),
    CONSTRAINT account_head_facts_floor_check CHECK (facts_floor BETWEEN 0 AND revision),
    CONSTRAINT account_head_history_floor_check CHECK (history_floor BETWEEN 0 AND revision)
) {options}"
    )
}
