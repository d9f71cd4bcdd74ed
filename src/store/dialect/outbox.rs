//! The outbox: what waits to be published, over all accounts.

use sea_orm::{DbBackend, Statement};

use super::{clock_expression, source};
use crate::store::table::Table;

/// What locks the marks of the outbox that are found, and passes over those that somebody else has locked. SQLite has one writer.
pub(in crate::store) fn unless_taken(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Sqlite { "" } else { " FOR UPDATE OF outbox SKIP LOCKED" }
}

/// Deletes the marks of the outbox that rows say everything is published of. One that a writer made anew stays.
pub(in crate::store) fn take_marks_away(rows: &Table, backend: DbBackend) -> String {
    let source = source(rows, backend, 1);
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
    let [account, at] = ["account_id", "at"].map(|column| rows.value(backend, column));
    let source = source(rows, backend, 1);
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

/// Marks accounts in the outbox, or the later change of one that is marked. The parameters of the rows begin at the number `first`.
/// Those that have nothing to publish are passed over.
pub(in crate::store) fn mark(rows: &Table, backend: DbBackend, first: usize) -> String {
    let [account, revision, at] = ["account_id", "to_publish", "changed_at"].map(|column| rows.value(backend, column));
    let source = source(rows, backend, first);
    format!(
        "INSERT INTO outbox (account_id, revision, since) SELECT {account}, {revision}, {at} FROM {source} \
         WHERE {revision} > 0 ON CONFLICT (account_id) DO UPDATE SET revision = excluded.revision"
    )
}

/// Marks accounts in the outbox that rows name, unless they are marked.
pub(in crate::store) fn mark_again(rows: &Table, backend: DbBackend) -> String {
    let (source, clock) = (source(rows, backend, 1), clock_expression(backend));
    let [account, revision] = ["account_id", "revision"].map(|column| rows.value(backend, column));
    format!(
        "INSERT INTO outbox (account_id, revision, since) SELECT {account}, {revision}, {clock} FROM {source} \
         WHERE true ON CONFLICT (account_id) DO NOTHING"
    )
}

/// Notes where in the stream accounts end that rows name, unless a later revision is known. The same revision stands elsewhere where
/// it was published again, and in a stream that was put back that is further to the front.
pub(in crate::store) fn note(rows: &Table, backend: DbBackend) -> String {
    let (source, clock) = (source(rows, backend, 1), clock_expression(backend));
    let values = rows.values(backend);
    format!(
        "INSERT INTO published (account_id, revision, incarnation, sequence, published_at) \
         SELECT {values}, {clock} FROM {source} WHERE true ON CONFLICT (account_id) DO UPDATE \
         SET revision = excluded.revision, incarnation = excluded.incarnation, sequence = excluded.sequence, \
         published_at = excluded.published_at \
         WHERE published.incarnation <> excluded.incarnation \
         OR (published.revision <= excluded.revision AND published.sequence <> excluded.sequence)"
    )
}
