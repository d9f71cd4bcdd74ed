//! When accounts are to be looked at for leads that nobody has owned for too long.

use sea_orm::{DbBackend, Statement};

use super::clock_expression;

/// Reads the clock, and when the first account is to be looked at.
pub(in crate::store) fn agenda(backend: DbBackend) -> Statement {
    let clock = clock_expression(backend);
    let first = "SELECT min(overdue_at) FROM account_head WHERE overdue_at IS NOT NULL";
    Statement::from_string(backend, format!("SELECT {clock} AS clock, ({first}) AS first"))
}

/// Moves the first account that is to be looked at by a time to another one, and says which. One that somebody writes to, or claims,
/// is not waited for.
pub(in crate::store) fn claim(backend: DbBackend) -> String {
    let ([now, again], free) = match backend {
        DbBackend::Sqlite => (["?1", "?2"], ""),
        _ => (["$1", "$2"], "FOR NO KEY UPDATE SKIP LOCKED"),
    };
    format!(
        "UPDATE account_head SET overdue_at = {again} WHERE account_id = (SELECT account_id FROM account_head \
         WHERE overdue_at <= {now} ORDER BY overdue_at LIMIT 1 {free}) RETURNING account_id"
    )
}

/// Sets when an account is to be looked at.
pub(in crate::store) fn look_at(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "UPDATE account_head SET overdue_at = ?2 WHERE account_id = ?1",
        _ => "UPDATE account_head SET overdue_at = $2::bigint WHERE account_id = $1",
    }
}

/// The earlier of what the head of an account says and another time, either of which may be absent.
pub(in crate::store) fn earlier(backend: DbBackend, time: &str) -> String {
    let present = "account_head.overdue_at";
    match backend {
        DbBackend::Sqlite => format!("min(coalesce({present}, {time}), coalesce({time}, {present}))"),
        // Ignores what is absent.
        _ => format!("LEAST({present}, {time})"),
    }
}
