use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{FromQueryResult, Statement, StatementBuilder};

use crate::support::Scratch;

/// One column of each Rust type that the tables are read and written with.
#[derive(Debug, PartialEq, FromQueryResult)]
struct Row {
    closed: bool,
    owner_id: Option<String>,
    created_at: i64,
    capacity: Option<i32>,
    fingerprint: Vec<u8>,
}

#[tokio::test]
async fn every_type_reads_back_as_it_was_written() {
    for (closed, owner, capacity) in [(true, Some("m1"), Some(i32::MAX)), (false, None, None)] {
        let (_scratch, db) = Scratch::migrated().await;
        let fingerprint: Vec<u8> = (0..32).collect();
        insert_lead(&db, closed, owner).await;
        insert_member(&db, capacity).await;
        insert_request(&db, fingerprint.clone()).await;
        let statement = Statement::from_string(db.get_database_backend(), SELECT);
        let row = Row::find_by_statement(statement).one(&db).await.unwrap();
        let owner_id = owner.map(str::to_owned);
        assert_eq!(row, Some(Row { closed, owner_id, created_at: i64::MAX, capacity, fingerprint }));
    }
}

const SELECT: &str = "SELECT l.closed, l.owner_id, l.created_at, m.capacity, r.fingerprint
    FROM lead l JOIN member m ON m.account_id = l.account_id JOIN request r ON r.account_id = l.account_id";

async fn insert_lead(db: &impl ConnectionTrait, closed: bool, owner: Option<&str>) {
    let values = [
        ("account_id", Expr::val("a")),
        ("lead_id", "l".into()),
        ("owner_id", Expr::val(owner)),
        ("owner_since", 0.into()),
        ("revision", 1.into()),
        ("stage", "new".into()),
        ("stage_entered_at", 0.into()),
        ("closed", closed.into()),
        ("created_at", i64::MAX.into()),
        ("source", "ui".into()),
        ("attributes", "{}".into()),
        ("observed_at", 0.into()),
    ];
    insert(db, "lead", values).await;
}

async fn insert_member(db: &impl ConnectionTrait, capacity: Option<i32>) {
    let values = [
        ("account_id", Expr::val("a")),
        ("member_id", "m1".into()),
        ("display_name", "Ada".into()),
        ("initials", "A".into()),
        ("email", "".into()),
        ("avatar_url", "".into()),
        ("standing", "active".into()),
        ("capacity", Expr::val(capacity)),
        ("observed_at", 0.into()),
    ];
    insert(db, "member", values).await;
}

async fn insert_request(db: &impl ConnectionTrait, fingerprint: Vec<u8>) {
    let values = [
        ("account_id", Expr::val("a")),
        ("caller_id", "c".into()),
        ("request_id", "r".into()),
        ("method", "Assign".into()),
        ("fingerprint", fingerprint.into()),
        ("revision", 1.into()),
        ("answer", "{}".into()),
        ("created_at", 0.into()),
    ];
    insert(db, "request", values).await;
}

async fn insert<const N: usize>(db: &impl ConnectionTrait, table: &'static str, row: [(&'static str, Expr); N]) {
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    let mut insert = Query::insert();
    insert.into_table(table).columns(columns).values_panic(values);
    let statement = StatementBuilder::build(&insert, &db.get_database_backend());
    db.execute_raw(statement).await.unwrap();
}
