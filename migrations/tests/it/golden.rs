//! The schema as text, committed, so that a change of it shows in the diff of the commit that makes it.

use std::{env, fs};

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, Statement};
use similar::TextDiff;

use crate::support::{Scratch, on_postgres};

#[tokio::test]
async fn the_schema_is_the_one_that_is_committed() {
    let (_scratch, db) = Scratch::migrated().await;
    let (file, schema) = if on_postgres() {
        ("schema.postgres.sql", postgres_schema(&db).await)
    } else {
        ("schema.sqlite.sql", sqlite_schema(&db).await)
    };
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let diff = TextDiff::from_lines(&committed, &schema).unified_diff().header("committed", "migrated").to_string();
    assert!(diff.is_empty(), "{file} differs; UPDATE_GOLDEN=1 rewrites it\n{diff}");
}

async fn sqlite_schema(db: &DatabaseConnection) -> String {
    let select =
        "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type = 'table' DESC, name";
    texts(db, select).await.join("\n\n") + "\n"
}

async fn postgres_schema(db: &DatabaseConnection) -> String {
    let mut parts = Vec::new();
    for table in texts(db, TABLES).await {
        parts.push(postgres_table(db, &table).await);
        parts.extend(texts(db, &of(INDEXES, &table)).await);
    }
    parts.extend(texts(db, FUNCTIONS).await);
    parts.extend(texts(db, TRIGGERS).await);
    parts.join("\n\n") + "\n"
}

async fn postgres_table(db: &DatabaseConnection, table: &str) -> String {
    let mut lines = texts(db, &of(COLUMNS, table)).await;
    lines.extend(texts(db, &of(CONSTRAINTS, table)).await);
    let options = texts(db, &of(OPTIONS, table)).await.concat();
    format!("CREATE TABLE {table} (\n    {}\n){options};", lines.join(",\n    "))
}

fn of(query: &str, table: &str) -> String {
    query.replace("$table", &format!("'{table}'::regclass"))
}

async fn texts(db: &DatabaseConnection, select: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), select);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

const TABLES: &str = r#"SELECT relname::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname COLLATE "C""#;

const COLUMNS: &str = "SELECT concat(a.attname, ' ', format_type(a.atttypid, a.atttypmod),
        ' COLLATE ' || quote_ident(nullif(c.collname, 'default')),
        CASE WHEN a.attnotnull THEN ' NOT NULL' END,
        ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
        ' IDENTITY ' || nullif(a.attidentity::text, ''), ' GENERATED ' || nullif(a.attgenerated::text, ''))
    FROM pg_attribute a
    LEFT JOIN pg_collation c ON c.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $table AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

// From 18 on, NOT NULL is a constraint too; COLUMNS shows it for every version.
const CONSTRAINTS: &str = r#"SELECT concat('CONSTRAINT ', conname, ' ', pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE conrelid = $table AND contype <> 'n' ORDER BY contype DESC, conname COLLATE "C""#;

const OPTIONS: &str = "SELECT concat(' WITH (', array_to_string(reloptions, ', '), ')') FROM pg_class
    WHERE oid = $table AND reloptions IS NOT NULL";

const INDEXES: &str = r#"SELECT pg_get_indexdef(indexrelid) || ';' FROM pg_index
    WHERE indrelid = $table AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY indexrelid::regclass::text COLLATE "C""#;

const FUNCTIONS: &str = r#"SELECT trim(pg_get_functiondef(oid)) || ';' FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace ORDER BY proname COLLATE "C""#;

const TRIGGERS: &str = r#"SELECT pg_get_triggerdef(oid) || ';' FROM pg_trigger
    WHERE NOT tgisinternal ORDER BY tgname COLLATE "C""#;
