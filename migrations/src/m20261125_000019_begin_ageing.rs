use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261125_000019_begin_ageing", sql };

// Others are told of leads that nobody has owned for too long from now on: of none that was so before. What was left without an
// owner within the last day, the time after which that is so unless an account says otherwise, may yet become so: those accounts
// are looked at.
fn sql(dialect: &Dialect) -> String {
    let clock = dialect.pick(
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    );
    format!(
        "INSERT INTO store_meta (key, value) SELECT 'ageing_from', CAST({clock} AS text);
UPDATE account_head SET overdue_at = changed_at WHERE changed_at > {clock} - 86400000000"
    )
}
