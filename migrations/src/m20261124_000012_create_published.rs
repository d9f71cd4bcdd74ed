use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261124_000012_create_published", sql };

// How far each account is published, and where in the stream that is: by it, what the stream has lost can be told from what has
// grown too old for it. `incarnation` is when the stream was created: one that was created anew counts its messages anew.
fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "");
    format!(
        "CREATE TABLE published (
    account_id   {id} NOT NULL,
    revision     {bigint} NOT NULL,
    incarnation  {bigint} NOT NULL,
    sequence     {bigint} NOT NULL,
    published_at {bigint} NOT NULL,
    CONSTRAINT published_pk PRIMARY KEY (account_id),
    CONSTRAINT published_revision_check CHECK (revision >= 1),
    CONSTRAINT published_sequence_check CHECK (sequence >= 1)
) {options};
CREATE INDEX published_by_sequence ON published (incarnation, sequence)"
    )
}
