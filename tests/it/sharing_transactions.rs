//! Accounts share transactions, and nothing else: what fails, hangs or is large in one of them is no matter of the others.

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use ownership::domain::ids::{AccountId, Revision};
use ownership::domain::time::Timestamp;
use ownership::store as tables;
use ownership::store::outbox::Published;
use ownership::store::published::{Position, Watermark};
use tokio::task::JoinHandle;
use tonic::Code;

use crate::support::proxy::{Mode, Proxy};
use crate::support::*;

const ACCOUNTS: usize = 12;

/// A server whose writes all go through one turn, however the whole run is set up.
fn one_turn() -> Setup {
    one_replica().set("door.writers", 1).set("door.max_batch", 512)
}

async fn teams(world: &World) -> Vec<Account> {
    let mut accounts = Vec::new();
    for _ in 0..ACCOUNTS {
        let account = world.account();
        account.members(["anna"]).await;
        account.leads(["L1"]).await;
        accounts.push(account);
    }
    accounts
}

/// Lets calls wait at the doors of their accounts while nobody can write, and then all of them go, but for those of an account whose
/// head stays in strange hands.
async fn together<T: Send + 'static>(
    world: &World,
    account: &str,
    calls: Vec<BoxFuture<'static, T>>,
) -> (Vec<JoinHandle<T>>, Option<Held>) {
    let under_way = async |count: usize| {
        let active = world.replicas[0].counted("ownership_calls_active", "OwnershipService").await;
        active as usize == count
    };
    let sql = world.sql().await;
    let mut held = sql.hold_head(account).await;
    held.and_all_others().await;
    // Commits nothing.
    let has_the_turn = tokio::spawn(world.account().unassign("nosuch").into_future());
    // On SQLite its transaction has not begun, and takes along what waits then.
    let has_it = async || if store() == Store::Sqlite { under_way(1).await } else { sql.waiting().await > 0 };
    eventually("somebody has the turn", async || has_it().await.then_some(())).await;
    let calls: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    eventually("calls wait", async || under_way(1 + calls.len()).await.then_some(())).await;
    let held = held.only().await;
    has_the_turn.await.unwrap().unwrap_err();
    (calls, held)
}

/// The same, and nothing of any account is held.
async fn all_together<T: Send + 'static>(world: &World, calls: Vec<BoxFuture<'static, T>>) -> Vec<T> {
    let (calls, _held) = together(world, "nobody", calls).await;
    join_all(calls).await.into_iter().map(Result::unwrap).collect()
}

async fn transactions(world: &World) -> f64 {
    world.replicas[0].counted("ownership_door_batch_size_count", "").await
}

#[tokio::test]
async fn what_waits_at_several_doors_is_committed_together() {
    one_turn()
        .check(async |world| {
            let accounts = teams(world).await;
            let before = transactions(world).await;
            let assigns = accounts.iter().map(|account| account.assign("L1", "anna").into_future()).collect();
            for answer in all_together(world, assigns).await {
                assert_eq!(answer.unwrap().outcome(), Outcome::Assigned);
            }
            let needed = transactions(world).await - before;
            // One of whoever had the turn, one of all others; somebody may have come late.
            assert!(needed <= 3.0, "{ACCOUNTS} accounts took {needed} transactions");
        })
        .await;
}

#[tokio::test]
async fn a_defect_in_one_account_fails_none_of_those_it_shares_with() {
    one_turn()
        .check(async |world| {
            let accounts = teams(world).await;
            let sql = world.sql().await;
            for statement in refusing("poison") {
                sql.run(statement).await;
            }
            let reasons = (0..ACCOUNTS).map(|number| if number == 5 { "poison" } else { "fine" });
            let assigns = accounts.iter().zip(reasons);
            let assigns = assigns.map(|(account, reason)| account.assign("L1", "anna").reason(reason).into_future());
            for (number, answer) in all_together(world, assigns.collect()).await.into_iter().enumerate() {
                match answer {
                    Ok(answer) => assert_eq!(answer.outcome(), Outcome::Assigned, "{number}"),
                    Err(status) => assert_eq!((number, status.code()), (5, Code::Internal), "{status:?}"),
                }
            }
            assert!(world.replicas[0].counted("ownership_door_batches_split_total", "").await > 0.0);
            assert_eq!(accounts[5].owner_of("L1").await, None, "refused means not done");
            accounts[5].assign("L1", "anna").ok().await;
        })
        .await;
}

/// Statements after which no fact can be written for this reason.
fn refusing(reason: &str) -> Vec<String> {
    match store() {
        Store::Sqlite => vec![format!(
            "create trigger refuses before insert on fact when new.reason = '{reason}' begin \
             select raise(abort, 'refused'); end"
        )],
        Store::Postgres => vec![
            "create function refuse() returns trigger as $$ begin raise exception 'refused'; end $$ language plpgsql"
                .to_owned(),
            format!(
                "create trigger refuses before insert on fact for each row when (new.reason = '{reason}') \
                 execute function refuse()"
            ),
        ],
    }
}

#[tokio::test]
async fn an_account_that_somebody_else_writes_to_keeps_none_waiting_that_it_would_share_with() {
    // On SQLite there is one lock for all accounts: who holds it holds up everybody.
    if store() == Store::Sqlite {
        return;
    }
    one_turn()
        .check(async |world| {
            let accounts = teams(world).await;
            let assigns = accounts.iter().map(|account| account.assign("L1", "anna").into_future()).collect();
            let (mut assigns, held) = together(world, &accounts[5].id, assigns).await;
            let waits = assigns.remove(5);
            for answer in join_all(assigns).await {
                assert_eq!(answer.unwrap().unwrap().outcome(), Outcome::Assigned);
            }
            assert!(!waits.is_finished(), "it is still taken");
            drop(held);
            assert_eq!(waits.await.unwrap().unwrap().outcome(), Outcome::Assigned);
        })
        .await;
}

#[tokio::test]
async fn who_brings_much_shares_with_nobody() {
    one_turn()
        .check(async |world| {
            let accounts = teams(world).await;
            let many: Vec<_> = (0..1_000).map(|number| format!("M{number}")).collect();
            accounts[0].register(many.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
            let before = transactions(world).await;
            let bulk = accounts[0].bulk(many.iter().map(|id| to(id, "anna")).collect::<Vec<_>>());
            let mut calls = vec![async { bulk.await.map(drop) }.boxed()];
            for account in &accounts[1..] {
                let assign = account.assign("L1", "anna");
                calls.push(async { assign.await.map(drop) }.boxed());
            }
            all_together(world, calls).await.into_iter().for_each(Result::unwrap);
            let needed = transactions(world).await - before;
            // One of whoever has the turn, one of the bulk, and one of all others. On SQLite those share that of
            // whoever has the turn.
            let least = if store() == Store::Sqlite { 2.0 } else { 3.0 };
            assert!(needed >= least, "{needed} transactions");
        })
        .await;
}

/// Loses a commit that accounts share; each hears that it was assigned.
async fn loses_a_shared_commit(how: Mode) {
    // SQLite has no network to lose.
    if store() == Store::Sqlite {
        return;
    }
    let database = Database::migrated();
    let proxy = Proxy::before(&database.url());
    let mut world = one_turn().set("database.url", proxy.url()).start_over(database);
    let accounts = teams(&world).await;
    let assigns = accounts.iter().enumerate().map(|(number, account)| {
        let call = account.assign("L1", "anna");
        // Of those without an id it is the log that tells.
        let call = if number % 2 == 0 { call.once(&uuid::Uuid::new_v4().to_string()) } else { call };
        call.into_future()
    });
    let assigns = assigns.collect();
    proxy.set(how);
    for answer in all_together(&world, assigns).await {
        let answer = answer.unwrap();
        assert_eq!((answer.outcome(), answer.revision, answer.replayed), (Outcome::Assigned, 3, false));
    }
    assert_eq!(proxy.mode(), Mode::Pass, "one was lost");
    for account in &accounts {
        assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
    }
    world.verify().await;
}

#[tokio::test]
async fn of_a_shared_commit_whose_answer_is_lost_each_account_hears_what_became_of_it() {
    loses_a_shared_commit(Mode::LoseCommitAnswer).await;
}

#[tokio::test]
async fn a_shared_commit_that_is_lost_is_made_up_for_each_account() {
    loses_a_shared_commit(Mode::LoseCommit).await;
}

#[tokio::test]
async fn a_panic_in_one_account_fails_none_of_those_it_shares_with_and_is_over() {
    let mut world = one_turn().start();
    let accounts = teams(&world).await;
    let (sql, sick) = (world.sql().await, accounts[5].id.clone());
    let head = async |revision: i64| {
        sql.run(format!("update account_head set revision = {revision} where account_id = '{sick}'")).await;
    };
    // There is no revision after the last one.
    head(i64::MAX).await;
    world.restart(0);
    let accounts: Vec<_> = accounts.iter().map(|account| account.through(&world, 0)).collect();
    for account in &accounts {
        assert_eq!(account.owner_of("L1").await, None, "it is in memory");
    }
    let assigns = accounts.iter().map(|account| account.assign("L1", "anna").into_future()).collect();
    for (number, answer) in all_together(&world, assigns).await.into_iter().enumerate() {
        match answer {
            Ok(answer) => assert_eq!(answer.outcome(), Outcome::Assigned, "{number}"),
            Err(status) => assert_eq!((number, refusal(status).reason.as_str()), (5, "OUTCOME_UNKNOWN")),
        }
    }
    head(2).await;
    accounts[5].assign("L1", "anna").ok().await;
    world.verify().await;
}

#[tokio::test]
async fn whoever_settles_what_was_published_waits_for_nobody_who_writes() {
    // On SQLite there is one lock for all accounts.
    if store() == Store::Sqlite {
        return;
    }
    one_turn()
        .check(async |world| {
            let accounts = in_order(teams(world).await);
            let sql = world.sql().await;
            let _held = sql.hold_mark(&accounts[0].id).await;
            let outbox = outbox(world).await;
            let tx = outbox.begin("settle").await.unwrap();
            let published: Vec<_> = accounts[..3].iter().map(|account| published(account, 2)).collect();
            tables::outbox::settle(&tx, &published).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(
                sql.number("select count(*) from outbox").await,
                ACCOUNTS as i64 - 2,
                "but for the one that is held"
            );
        })
        .await;
}

#[tokio::test]
async fn whoever_marks_accounts_again_has_none_that_is_waited_for_while_waiting() {
    if store() == Store::Sqlite {
        return;
    }
    one_turn()
        .check(async |world| {
            let accounts = in_order(teams(world).await);
            let sql = world.sql().await;
            sql.run("delete from outbox").await;
            let held = sql.hold_mark(&accounts[0].id).await;
            let outbox = outbox(world).await;
            let lost = [2, 0, 1].map(|number| lost(&accounts[number]));
            let marking = tokio::spawn(async move {
                let tx = outbox.begin("mark_lost").await.unwrap();
                tables::outbox::mark_again(&tx, &lost).await.unwrap();
                tx.commit().await
            });
            eventually("it waits", async || (sql.waiting().await > 0).then_some(())).await;
            accounts[2].assign("L1", "anna").ok().await;
            assert!(!marking.is_finished(), "it still waits");
            drop(held);
            marking.await.unwrap().unwrap();
        })
        .await;
}

fn in_order(mut accounts: Vec<Account>) -> Vec<Account> {
    accounts.sort_by(|one, other| one.id.cmp(&other.id));
    accounts
}

/// A way to the tables that whoever publishes has.
async fn outbox(world: &World) -> tables::Store {
    let options = tables::Options { url: world.database.url(), max_connections: 1 };
    tables::Store::connect(&options).await.unwrap()
}

fn published(account: &Account, through: i64) -> Published {
    let account = AccountId::parse(&account.id).unwrap();
    Published { account, through: Revision(through), at: Timestamp(i64::MAX), last: None }
}

fn lost(account: &Account) -> Watermark {
    let account = AccountId::parse(&account.id).unwrap();
    Watermark { account, revision: Revision(1), position: Position::default(), at: Timestamp(0) }
}
