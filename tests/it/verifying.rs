//! The verifier that follows every test can fail: each kind of damage is noticed, and only in the account that has it.

use crate::support::*;

async fn busy(world: &World) -> Account {
    let account = world.account();
    account.upsert([member("anna"), member("ben")]).ok().await;
    account.register([owned("L1", "anna"), lead("L2")]).ok().await;
    account.assign("L1", "ben").ok().await;
    account
        .set_settings(pb::Settings {
            default_sender: Some(pb::DefaultSender { name: "T".into(), email: "t@example.com".into() }),
            ..Default::default()
        })
        .ok()
        .await;
    account.bulk([to("L1", "anna"), to("L2", "ben")]).ok().await;
    account
}

/// Takes away what keeps facts from being rewritten.
async fn allow_forging(sql: &Sql) {
    let statement = match store() {
        Store::Sqlite => "drop trigger fact_is_immutable",
        Store::Postgres => "drop trigger fact_is_immutable on fact",
    };
    sql.run(statement).await;
}

/// What is done to an account, and a word of the complaint. `$` stands for the account.
const DAMAGES: [(&str, &str); 21] = [
    ("delete from fact where account_id = $ and revision = 3", "not dense"),
    ("delete from fact where account_id = $ and revision = 5 and ordinal = 0", "ordinals of 5"),
    ("update fact set occurred_at = occurred_at - 3600000000 where account_id = $ and revision = 3", "the time of 3.0"),
    ("update fact set previous_owner_id = 'cem' where account_id = $ and revision = 3", "was owned by"),
    ("update fact set owner_id = 'cem' where account_id = $ and revision = 5 and ordinal = 0", "owner of L1"),
    ("update fact set payload = '{}' where account_id = $ and revision = 2 and ordinal = 0", "projection of L1"),
    ("update fact set notice = 'new_owner' where account_id = $ and revision = 2 and ordinal = 1", "nobody to be told"),
    ("update account_head set revision = 6 where account_id = $", "not dense up to 6"),
    ("update account_head set changed_at = changed_at + 1 where account_id = $", "the head has another time"),
    ("delete from account_head where account_id = $", "without a head"),
    ("update lead set owner_id = null where account_id = $ and lead_id = 'L1'", "owner of L1"),
    ("update lead set owner_since = owner_since + 1 where account_id = $ and lead_id = 'L2'", "owner of L2"),
    ("update lead set revision = 1 where account_id = $ and lead_id = 'L2'", "owner of L2"),
    ("update lead set overdue_revision = revision where account_id = $ and lead_id = 'L1'", "owner of L1"),
    ("update lead set stage = 'other' where account_id = $ and lead_id = 'L1'", "projection of L1"),
    ("delete from lead where account_id = $ and lead_id = 'L1'", "owner of L1"),
    ("update member set standing = 'inactive' where account_id = $ and member_id = 'anna'", "members"),
    ("delete from member where account_id = $ and member_id = 'ben'", "members"),
    ("update account_settings set default_sender_name = 'X' where account_id = $", "settings"),
    ("update account_settings set notify_new_owner = true where account_id = $", "settings"),
    ("delete from account_settings where account_id = $", "settings"),
];

#[tokio::test]
async fn damage_to_any_table_is_noticed() {
    let mut world = one_replica().start();
    let healthy = busy(&world).await;
    let sql = world.sql().await;
    allow_forging(&sql).await;
    let mut accounts = Vec::new();
    for (damage, _) in DAMAGES {
        let account = busy(&world).await;
        let statement = damage.replace('$', &format!("'{}'", account.id));
        assert!(sql.run(statement).await > 0, "{damage} touches nothing");
        accounts.push(account);
    }
    let complaints = world.complaints().await;
    for (account, (damage, word)) in accounts.iter().zip(DAMAGES) {
        let said: Vec<_> = complaints.iter().filter(|(id, _)| *id == account.id).map(|(_, said)| said).collect();
        assert!(said.iter().any(|said| said.contains(word)), "{damage}: {said:#?}");
    }
    assert!(!complaints.iter().any(|(id, _)| *id == healthy.id), "{complaints:#?}");
}

#[tokio::test]
async fn a_book_that_disagrees_with_log_and_tables_is_noticed() {
    let mut world = one_replica().start();
    let account = busy(&world).await;
    let sql = world.sql().await;
    allow_forging(&sql).await;
    // Log and snapshot are changed together, so only the answers of the server are left to tell.
    for statement in [
        "update fact set owner_id = 'anna' where account_id = $ and revision = 5 and lead_id = 'L2'",
        "update lead set owner_id = 'anna' where account_id = $ and lead_id = 'L2'",
    ] {
        assert_eq!(sql.run(statement.replace('$', &format!("'{}'", account.id))).await, 1);
    }
    let complaints = world.complaints().await;
    assert!(complaints.iter().any(|(_, said)| said.contains("the book differs in leads")), "{complaints:#?}");
    assert!(complaints.iter().any(|(_, said)| said.contains("counts")), "{complaints:#?}");
}

#[tokio::test]
async fn a_fact_is_never_rewritten_not_even_by_hand() {
    check(async |world| {
        busy(world).await;
        let refused = world.sql().await.try_run("update fact set reason = 'forged'").await.unwrap_err();
        assert!(refused.contains("fact_is_immutable"), "{refused}");
    })
    .await;
}
