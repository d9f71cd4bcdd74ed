//! What SQLite and Postgres spell differently.

use sea_orm_migration::sea_orm::DbBackend;

/// The words of one database. `text` and `NULL` are the same everywhere and need no word here.
pub(crate) struct Dialect {
    backend: DbBackend,
    /// Text that is compared byte by byte, whatever the locale of the database.
    pub id: &'static str,
    /// 64-bit integer.
    pub bigint: &'static str,
    /// 32-bit integer.
    pub integer: &'static str,
    /// Truth value.
    pub boolean: &'static str,
    /// Raw bytes.
    pub bytes: &'static str,
}

// SQLite's STRICT tables know five type names; its text compares byte by byte unless told otherwise.
const SQLITE: Dialect = Dialect {
    backend: DbBackend::Sqlite,
    id: "text",
    bigint: "integer",
    integer: "integer",
    boolean: "integer",
    bytes: "blob",
};

const POSTGRES: Dialect = Dialect {
    backend: DbBackend::Postgres,
    id: "text COLLATE \"C\"",
    bigint: "bigint",
    integer: "integer",
    boolean: "boolean",
    bytes: "bytea",
};

impl Dialect {
    pub(crate) fn of(backend: DbBackend) -> &'static Self {
        if backend == DbBackend::Postgres { &POSTGRES } else { &SQLITE }
    }

    /// The one of two texts that is for this database.
    pub(crate) fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        if self.backend == DbBackend::Postgres { postgres } else { sqlite }
    }
}
