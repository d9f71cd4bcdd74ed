use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000008_create_account_settings", sql };

fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "");
    format!(
        "CREATE TABLE account_settings (
    account_id           {id} NOT NULL,
    default_sender_name  text,
    default_sender_email text,
    revision             {bigint} NOT NULL,
    CONSTRAINT account_settings_pk PRIMARY KEY (account_id),
    CONSTRAINT account_settings_revision_check CHECK (revision >= 1),
    CONSTRAINT account_settings_default_sender_check CHECK (
        (default_sender_name IS NULL) = (default_sender_email IS NULL))
) {options}"
    )
}
