use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000007_create_member", sql };

fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, integer, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "");
    format!(
        "CREATE TABLE member (
    account_id   {id} NOT NULL,
    member_id    {id} NOT NULL,
    display_name text NOT NULL,
    initials     text NOT NULL,
    email        text NOT NULL,
    avatar_url   text NOT NULL,
    manager_id   {id},
    standing     text NOT NULL,
    capacity     {integer},
    observed_at  {bigint} NOT NULL,
    CONSTRAINT member_pk PRIMARY KEY (account_id, member_id),
    CONSTRAINT member_standing_check CHECK (standing IN ('active', 'leaving', 'inactive')),
    CONSTRAINT member_capacity_check CHECK (capacity >= 0)
) {options}"
    )
}
