use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000001_create_store_meta", sql };

fn sql(dialect: &Dialect) -> String {
    let Dialect { id, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "");
    format!(
        "CREATE TABLE store_meta (
    key   {id} NOT NULL,
    value text NOT NULL,
    CONSTRAINT store_meta_pk PRIMARY KEY (key)
) {options}"
    )
}
