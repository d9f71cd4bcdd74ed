//! Rows that are written together: one statement for each table, whose text is the same however many rows there are, so that
//! each connection prepares it once. They may be of several accounts.

use sea_orm::{DbBackend, Value};

use super::dialect;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text that may be absent, and is never empty: absent is sent as empty, for arrays of the driver hold no NULL.
    OptionalText,
    Integer,
    /// A number that may be absent, and is never negative: absent is sent as -1.
    OptionalInteger,
    BigInteger,
    /// As [`Kind::OptionalInteger`].
    OptionalBigInteger,
    Boolean,
    Bytes,
}

/// A table, or those of its columns that are written.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The first so many columns are the key.
    pub(super) key: usize,
    /// The account first.
    pub(super) columns: &'static [(&'static str, Kind)],
}

/// Rows for a table, column by column.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    columns: Vec<Vec<Value>>,
}

impl Rows {
    pub(super) fn of<const COLUMNS: usize>(rows: impl Iterator<Item = [Value; COLUMNS]>) -> Self {
        let mut columns = vec![Vec::with_capacity(rows.size_hint().0); COLUMNS];
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        Self { columns }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.first().is_none_or(Vec::is_empty)
    }

    /// The parameters of a statement that takes these rows as its source.
    pub(super) fn into_parameters(self, table: &Table, backend: DbBackend) -> Vec<Value> {
        dialect::parameters_of(self.columns, table, backend)
    }
}

/// Absent text, as it is sent.
pub(super) fn optional(text: Option<&str>) -> Value {
    text.unwrap_or_default().into()
}

/// An absent number, as it is sent.
pub(super) fn optional_number(number: Option<i64>) -> Value {
    number.unwrap_or(-1).into()
}

impl Table {
    /// The same with nothing but its first columns.
    pub(super) const fn first(&self, columns: usize) -> Self {
        Self { name: self.name, key: self.key, columns: self.columns.split_at(columns).0 }
    }

    /// Adds rows. Their parameters begin at the number `first`.
    pub(super) fn insert(&self, backend: DbBackend, first: usize) -> String {
        let (name, columns, values) = (self.name, self.names(), self.values(backend));
        let source = dialect::source(self, backend, first);
        format!("INSERT INTO {name} ({columns}) SELECT {values} FROM {source}")
    }

    /// Adds rows, or replaces those with the same key.
    pub(super) fn replace(&self, backend: DbBackend, first: usize) -> String {
        let key = names(&self.columns[..self.key]);
        let rest = self.rest(|column, _| format!("{column} = excluded.{column}"));
        // Without a condition, SQLite would take ON for that of a join.
        let insert = self.insert(backend, first);
        format!("{insert} WHERE true ON CONFLICT ({key}) DO UPDATE SET {rest}")
    }

    /// Changes those rows that are there.
    pub(super) fn update(&self, backend: DbBackend, first: usize) -> String {
        let set = self.rest(|column, at| format!("{column} = {}", self.value_at(backend, at)));
        let (name, source) = (self.name, dialect::source(self, backend, first));
        format!("UPDATE {name} SET {set} FROM {source} WHERE {}", self.matches(backend))
    }

    /// Finds the rows with the keys of rows.
    pub(super) fn find(&self, backend: DbBackend, columns: &str) -> String {
        let (name, source) = (self.name, dialect::source(self, backend, 1));
        // CROSS JOIN: SQLite keeps the order, and so goes by the key of the table.
        format!("SELECT {columns} FROM {source} CROSS JOIN {name} WHERE {}", self.matches(backend))
    }

    /// Deletes the rows with the keys of rows.
    pub(super) fn delete(&self, backend: DbBackend, first: usize) -> String {
        let (name, key) = (self.name, self.names());
        let (values, source) = (self.values(backend), dialect::source(self, backend, first));
        format!("DELETE FROM {name} WHERE ({key}) IN (SELECT {values} FROM {source})")
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> String {
        names(self.columns)
    }

    /// The names of the columns but for the account.
    pub(super) fn names_after_account(&self) -> String {
        names(&self.columns[1..])
    }

    fn matches(&self, backend: DbBackend) -> String {
        let name = self.name;
        let key = self.columns.iter().take(self.key).enumerate();
        let key: Vec<_> =
            key.map(|(at, (column, _))| format!("{name}.{column} = {}", self.value_at(backend, at))).collect();
        key.join(" AND ")
    }

    /// What a row of the source has, column by column.
    pub(super) fn values(&self, backend: DbBackend) -> String {
        let values: Vec<_> = (0..self.columns.len()).map(|at| self.value_at(backend, at)).collect();
        values.join(", ")
    }

    /// What a row of the source has for one of the columns.
    pub(super) fn value(&self, backend: DbBackend, column: &str) -> String {
        let at = self.columns.iter().position(|(name, _)| *name == column);
        self.value_at(backend, at.unwrap_or_else(|| unreachable!("{} has no {column}", self.name)))
    }

    fn value_at(&self, backend: DbBackend, at: usize) -> String {
        let (column, kind) = self.columns[at];
        let value = dialect::value_in_source(column, at, kind, backend);
        match kind {
            Kind::OptionalText => format!("NULLIF({value}, '')"),
            Kind::OptionalInteger | Kind::OptionalBigInteger => format!("NULLIF({value}, -1)"),
            Kind::Text | Kind::Integer | Kind::BigInteger | Kind::Boolean | Kind::Bytes => value,
        }
    }

    /// Something for each column outside the key.
    fn rest(&self, each: impl Fn(&str, usize) -> String) -> String {
        let rest = self.columns.iter().enumerate().skip(self.key);
        let rest: Vec<_> = rest.map(|(at, (column, _))| each(column, at)).collect();
        rest.join(", ")
    }
}

fn names(columns: &[(&str, Kind)]) -> String {
    let names: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
    names.join(", ")
}
