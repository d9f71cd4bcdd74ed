use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000009_create_request", sql };

// Not clustered by its key on SQLite: the answer to a bulk is far larger than a page, which would make the tree deep.
fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, bytes, .. } = dialect;
    let options = dialect.pick("STRICT", "");
    format!(
        "CREATE TABLE request (
    account_id  {id} NOT NULL,
    caller_id   {id} NOT NULL,
    request_id  {id} NOT NULL,
    method      text NOT NULL,
    fingerprint {bytes} NOT NULL,
    revision    {bigint} NOT NULL,
    answer      text NOT NULL,
    created_at  {bigint} NOT NULL,
    CONSTRAINT request_pk PRIMARY KEY (account_id, caller_id, request_id),
    CONSTRAINT request_fingerprint_check CHECK (length(fingerprint) = 32),
    CONSTRAINT request_revision_check CHECK (revision >= 0)
) {options};
CREATE INDEX request_by_age ON request (created_at)"
    )
}
