use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseConnection;

use crate::support::{Scratch, on_postgres};

/// Ends before the values of: revision, ordinal, kind, lead_id, previous_owner_id, owner_id, source, payload.
const FACT: &str = "INSERT INTO fact (account_id, occurred_at, caller_id, reason,
    revision, ordinal, kind, lead_id, previous_owner_id, owner_id, source, payload) VALUES ('a', 7, 'c', '', ";

async fn refusal(db: &DatabaseConnection, sql: &str) -> String {
    db.execute_unprepared(sql).await.expect_err(sql).to_string()
}

#[tokio::test]
async fn a_fact_can_be_deleted_but_never_updated() {
    let (_scratch, db) = Scratch::migrated().await;
    let fact = format!("{FACT} 1, 0, 'assigned', 'l', NULL, 'm', 'ui', NULL)");
    db.execute_unprepared(&fact).await.unwrap();
    let error = refusal(&db, "UPDATE fact SET reason = 'better' WHERE account_id = 'a'").await;
    assert!(error.contains("fact_is_immutable"), "{error}");
    let kept = "DELETE FROM fact WHERE reason = '' AND kind = 'assigned'";
    assert_eq!(db.execute_unprepared(kept).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_fact_that_no_rule_could_have_made_is_refused_by_the_constraint_that_forbids_it() {
    let (_scratch, db) = Scratch::migrated().await;
    let cases = [
        ("fact_revision_check", "0, 0, 'assigned', 'l', NULL, 'm', 'ui', NULL"),
        ("fact_ordinal_check", "1, -1, 'assigned', 'l', NULL, 'm', 'ui', NULL"),
        ("fact_kind_check", "1, 0, 'stolen', 'l', NULL, NULL, 'ui', NULL"),
        ("fact_source_check", "1, 0, 'assigned', 'l', NULL, 'm', 'fax', NULL"),
        ("fact_lead_check", "1, 0, 'assigned', NULL, NULL, 'm', 'ui', NULL"),
        ("fact_owners_check", "1, 0, 'assigned', 'l', NULL, NULL, 'ui', NULL"),
        ("fact_owners_check", "1, 0, 'reassigned', 'l', 'm', 'm', 'ui', NULL"),
        ("fact_owners_check", "1, 0, 'unassigned', 'l', NULL, NULL, 'ui', NULL"),
        ("fact_payload_check", "1, 0, 'registered', 'l', NULL, NULL, 'ui', NULL"),
        ("fact_payload_check", "1, 0, 'assigned', 'l', NULL, 'm', 'ui', '{}'"),
    ];
    for (constraint, values) in cases {
        let error = refusal(&db, &format!("{FACT} {values})")).await;
        assert!(error.contains(constraint), "{constraint}: {error}");
    }
    let notice = FACT.replace("payload)", "payload, notice)");
    let error = refusal(&db, &format!("{notice} 1, 0, 'assigned', 'l', NULL, 'm', 'ui', NULL, 'rumour')")).await;
    assert!(error.contains("fact_notice_check"), "{error}");
}

#[tokio::test]
async fn a_snapshot_row_that_makes_no_sense_is_refused_by_the_constraint_that_forbids_it() {
    let (_scratch, db) = Scratch::migrated().await;
    let short_fingerprint = if on_postgres() {
        r"request VALUES ('a', 'c', 'r', 'Assign', '\x00', 1, '{}', 0)"
    } else {
        "request VALUES ('a', 'c', 'r', 'Assign', x'00', 1, '{}', 0)"
    };
    let cases = [
        ("account_head_facts_floor_check", "account_head VALUES ('a', -1, 0, 0, -1, NULL)"),
        ("account_head_facts_floor_check", "account_head VALUES ('a', 1, 0, 2, 0, NULL)"),
        ("account_head_history_floor_check", "account_head VALUES ('a', 1, 0, 0, 2, NULL)"),
        ("lead_revision_check", "lead VALUES ('a', 'l', NULL, 0, 0, 's', 0, false, 0, 'ui', '{}', 0, 0)"),
        ("member_standing_check", "member VALUES ('a', 'm', '', '', '', '', NULL, 'gone', NULL, 0)"),
        ("member_capacity_check", "member VALUES ('a', 'm', '', '', '', '', NULL, 'active', -1, 0)"),
        (
            "account_settings_default_sender_check",
            "account_settings VALUES ('a', 'Ada', NULL, 1, 0, false, NULL, NULL)",
        ),
        ("request_fingerprint_check", short_fingerprint),
    ];
    for (constraint, row) in cases {
        let error = refusal(&db, &format!("INSERT INTO {row}")).await;
        assert!(error.contains(constraint), "{constraint}: {error}");
    }
}

#[tokio::test]
async fn ids_order_by_their_bytes() {
    let (_scratch, db) = Scratch::migrated().await;
    let heads = "INSERT INTO account_head (account_id, revision, changed_at, facts_floor, history_floor)
        VALUES ('b', 0, 0, 0, 0), ('B', 0, 0, 0, 0), ('a-1', 0, 0, 0, 0), ('a0', 0, 0, 0, 0)";
    db.execute_unprepared(heads).await.unwrap();
    let select = "SELECT account_id FROM account_head ORDER BY account_id";
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), select);
    let rows = db.query_all_raw(statement).await.unwrap();
    let ids: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    assert_eq!(ids, ["B", "a-1", "a0", "b"]);
}
