//! The outbox: what waits to be published, over all accounts.

use sea_orm::{DbBackend, Statement};

use super::{clock_expression, postgres_type};
use crate::store::table::Table;

/// Rows of several accounts as the source `r` of a statement: their account is one of their columns.
fn source_of_many(table: &Table, backend: DbBackend) -> String {
    match backend {
        DbBackend::Sqlite => "(SELECT value FROM jsonb_each(?1) LIMIT -1) AS r".to_owned(),
        _ => {
            let arrays = table.columns.iter().zip(1..);
            let arrays: Vec<_> =
                arrays.map(|((_, kind), number)| format!("${number}::{}[]", postgres_type(*kind))).collect();
            format!("(SELECT u.* FROM unnest({}) AS u({}) OFFSET 0) AS r", arrays.join(", "), table.names(""))
        }
    }
}

/// Deletes the marks of the outbox that rows say everything is published of. The condition stands on the mark itself: one that a
/// writer makes anew at this moment is looked at again once it is committed, and stays.
pub(in crate::store) fn take_marks_away(rows: &Table, backend: DbBackend) -> String {
    let source = source_of_many(rows, backend);
    match backend {
        DbBackend::Sqlite => format!(
            "DELETE FROM outbox WHERE account_id IN (SELECT o.account_id FROM {source} CROSS JOIN outbox AS o \
             WHERE o.account_id = r.value ->> 0 AND o.revision <= r.value ->> 1)"
        ),
        _ => format!(
            "DELETE FROM outbox USING {source} WHERE outbox.account_id = r.account_id AND outbox.revision <= r.through"
        ),
    }
}

/// Makes the marks of the outbox that are left as young as the oldest change that is not published.
pub(in crate::store) fn make_marks_younger(rows: &Table, backend: DbBackend) -> String {
    let (account, at) = match backend {
        DbBackend::Sqlite => ("r.value ->> 0", "r.value ->> 2"),
        _ => ("r.account_id", "r.at"),
    };
    let source = source_of_many(rows, backend);
    format!("UPDATE outbox SET since = {at} FROM {source} WHERE outbox.account_id = {account} AND outbox.since < {at}")
}

/// Accounts of the outbox, by id: after one of them, older than a number of microseconds, and how many.
pub(in crate::store) fn waiting(backend: DbBackend) -> String {
    let clock = clock_expression(backend);
    let [after, age, limit] = match backend {
        DbBackend::Sqlite => ["?1", "?2", "?3"],
        _ => ["$1", "$2::bigint", "$3"],
    };
    format!(
        "SELECT account_id FROM outbox WHERE account_id > {after} AND since <= {clock} - {age} \
         ORDER BY account_id LIMIT {limit}"
    )
}

/// How many accounts the outbox has, and how old the oldest is.
pub(in crate::store) fn backlog(backend: DbBackend) -> Statement {
    let clock = clock_expression(backend);
    let sql = format!("SELECT count(*) AS accounts, coalesce({clock} - min(since), 0) AS age FROM outbox");
    Statement::from_string(backend, sql)
}

/// What lets a transaction commit without waiting for the disk: for what is found out again when it is lost.
pub(in crate::store) fn before_what_may_be_lost(backend: DbBackend) -> Option<&'static str> {
    (backend != DbBackend::Sqlite).then_some("SET LOCAL synchronous_commit = off")
}

/// Marks an account in the outbox, or the later change of one that is marked. The parameters of its revision and its time have
/// these numbers; the first of all is the account. Does nothing for revision 0.
pub(in crate::store) fn mark(backend: DbBackend, revision: usize, since: usize) -> String {
    let values = match backend {
        DbBackend::Sqlite => format!("?1, ?{revision}, ?{since} WHERE ?{revision} > 0"),
        _ => format!("$1::text, ${revision}::bigint, ${since}::bigint WHERE ${revision}::bigint > 0"),
    };
    format!(
        "INSERT INTO outbox (account_id, revision, since) SELECT {values} \
         ON CONFLICT (account_id) DO UPDATE SET revision = excluded.revision"
    )
}

/// Marks accounts in the outbox that rows name, unless they are marked.
pub(in crate::store) fn mark_again(rows: &Table, backend: DbBackend) -> String {
    let (source, clock) = (source_of_many(rows, backend), clock_expression(backend));
    let (account, revision) = match backend {
        DbBackend::Sqlite => ("r.value ->> 0", "r.value ->> 1"),
        _ => ("r.account_id", "r.revision"),
    };
    format!(
        "INSERT INTO outbox (account_id, revision, since) SELECT {account}, {revision}, {clock} FROM {source} \
         WHERE true ON CONFLICT (account_id) DO NOTHING"
    )
}

/// Notes where in the stream accounts end that rows name, unless a later revision is known. The same revision stands elsewhere where
/// it was published again, and in a stream that was put back that is further to the front.
pub(in crate::store) fn note(rows: &Table, backend: DbBackend) -> String {
    let (source, clock) = (source_of_many(rows, backend), clock_expression(backend));
    let values = match backend {
        DbBackend::Sqlite => "r.value ->> 0, r.value ->> 1, r.value ->> 2, r.value ->> 3",
        _ => "r.account_id, r.revision, r.incarnation, r.sequence",
    };
    format!(
        "INSERT INTO published (account_id, revision, incarnation, sequence, published_at) \
         SELECT {values}, {clock} FROM {source} WHERE true ON CONFLICT (account_id) DO UPDATE \
         SET revision = excluded.revision, incarnation = excluded.incarnation, sequence = excluded.sequence, \
         published_at = excluded.published_at \
         WHERE published.incarnation <> excluded.incarnation \
         OR (published.revision <= excluded.revision AND published.sequence <> excluded.sequence)"
    )
}
