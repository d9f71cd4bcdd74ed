//! The database away, busy or lost in the middle of a COMMIT.

use std::time::Duration;

use futures::future::join_all;
use ownership::store as tables;

use crate::support::proxy::{Mode, Proxy};
use crate::support::*;

#[tokio::test]
async fn a_write_that_waits_too_long_for_the_database_is_refused_and_does_nothing() {
    one_replica()
        .set("server.default_deadline", "500ms")
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            let sql = world.sql().await;
            let held = sql.hold_head(&account.id).await;
            let start = std::time::Instant::now();
            account.assign("L1", "anna").refused().await.is("DEADLINE_EXCEEDED");
            assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
            drop(held);
            // Whatever the server was still doing is over when the next write is answered.
            eventually("writes go on", async || account.leads_or_busy().await).await;
            assert_eq!(account.owner_of("L1").await, None, "refused means not done");
        })
        .await;
}

#[tokio::test]
async fn too_many_waiting_writes_are_refused_with_a_time_to_come_back() {
    one_replica()
        .set("door.queue_depth", 2)
        .set("server.default_deadline", "3s")
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            let sql = world.sql().await;
            let held = sql.hold_head(&account.id).await;
            let writes = join_all((0..20).map(|_| account.assign("L1", "anna").into_future()));
            let refusals: Vec<_> = writes.await.into_iter().map(|answer| refusal(answer.unwrap_err())).collect();
            let busy: Vec<_> = refusals.iter().filter(|refusal| refusal.reason == "ACCOUNT_BUSY").collect();
            assert!(busy.len() >= 10, "{refusals:?}");
            for refusal in busy {
                assert!(refusal.retry_after.is_some(), "{refusal:?}");
                assert!(refusal.number("queue_depth") >= 2);
            }
            drop(held);
            eventually("writes go on", async || account.leads_or_busy().await).await;
        })
        .await;
}

impl Account {
    /// Registers a lead, if the account takes writes again.
    async fn leads_or_busy(&self) -> Option<()> {
        self.register([lead("after")]).await.ok().map(drop)
    }
}

/// A world whose only way to Postgres can be cut. SQLite has no network to lose.
fn behind_a_proxy() -> Option<(Proxy, World)> {
    if store() == Store::Sqlite {
        return None;
    }
    let database = Database::migrated();
    let proxy = Proxy::before(&database.url());
    let setup = one_replica().set("database.url", proxy.url()).set("server.default_deadline", "5s");
    Some((proxy, setup.start_over(database)))
}

#[tokio::test]
async fn without_a_database_calls_are_refused_and_work_again_when_it_is_back() {
    let Some((proxy, mut world)) = behind_a_proxy() else {
        return;
    };
    let account = world.account();
    account.members(["anna"]).await;
    account.leads(["L1"]).await;
    proxy.set(Mode::Down);
    account.assign("L1", "anna").refused().await.is("STORE_UNAVAILABLE");
    account.owner("L1").refused().await.is("STORE_UNAVAILABLE");
    account.timeline("L1").refused().await.is("STORE_UNAVAILABLE");
    assert_eq!(account.owners(["L1"]).hurried().ok().await.ownerships.len(), 1, "what is in memory needs no database");
    proxy.set(Mode::Pass);
    eventually("writes go on", async || account.assign("L1", "anna").await.ok()).await;
    world.verify().await;
}

#[tokio::test]
async fn without_a_database_all_who_wait_are_told_so() {
    let Some((proxy, world)) = behind_a_proxy() else {
        return;
    };
    let accounts = [world.account(), world.account()];
    for account in &accounts {
        account.members(["anna"]).await;
        account.leads(["L1"]).await;
    }
    // Nobody is there who would refuse a connection: it is tried for as long as anybody waits for one.
    drop(proxy);
    let many = accounts.iter().flat_map(|account| (0..30).map(|_| account.assign("L1", "anna").into_future()));
    for answer in join_all(many).await {
        refusal(answer.unwrap_err()).is("STORE_UNAVAILABLE");
    }
}

#[tokio::test]
async fn a_lost_commit_answer_is_looked_up_and_told() {
    let Some((proxy, mut world)) = behind_a_proxy() else {
        return;
    };
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1"]).await;
    for (round, owner) in ["anna", "ben", "anna"].into_iter().enumerate() {
        proxy.set(Mode::LoseCommitAnswer);
        let id = uuid::Uuid::new_v4().to_string();
        let answer = account.assign("L1", owner).once(&id).ok().await;
        assert_eq!(proxy.mode(), Mode::Pass, "an answer was lost");
        assert_eq!((answer.revision, answer.replayed), (3 + round as i64, false), "as if nothing had happened");
        assert_eq!(account.owner_of("L1").await.as_deref(), Some(owner));
        assert!(account.assign("L1", owner).once(&id).ok().await.replayed);
    }
    // Without a request id it is the log that tells.
    proxy.set(Mode::LoseCommitAnswer);
    let answer = account.assign("L1", "ben").ok().await;
    assert_eq!((answer.outcome(), answer.revision, proxy.mode()), (Outcome::Reassigned, 6, Mode::Pass));
    world.verify().await;
}

#[tokio::test]
async fn a_commit_whose_outcome_cannot_be_told_says_so_and_a_repeat_tells() {
    let Some((proxy, mut world)) = behind_a_proxy() else {
        return;
    };
    let account = world.account();
    account.members(["anna"]).await;
    account.leads(["L1"]).await;
    proxy.set(Mode::LoseCommitAnswerAndStayDown);
    let id = uuid::Uuid::new_v4().to_string();
    let assign = account.assign("L1", "anna").once(&id);
    assign.clone().refused().await.is("OUTCOME_UNKNOWN").says("request_id", &id);
    proxy.set(Mode::Pass);
    let answer = eventually("the outcome is told", async || assign.clone().await.ok()).await;
    assert_eq!((answer.outcome(), answer.replayed, answer.revision), (Outcome::Assigned, true, 3));
    world.verify().await;
}

#[tokio::test]
async fn connections_that_die_without_a_word_do_not_end_strict_reads() {
    let Some((proxy, mut world)) = behind_a_proxy() else {
        return;
    };
    let account = world.account();
    account.members(["anna"]).await;
    account.leads(["L1"]).await;
    assert_eq!(account.owner_of("L1").await, None);
    proxy.set(Mode::FreezeOpen);
    eventually("reads go on", async || account.owner("L1").await.ok()).await;
    proxy.set(Mode::Pass);
    world.verify().await;
}

#[tokio::test]
async fn who_gives_up_while_a_transaction_begins_leaves_none_behind() {
    let database = Database::migrated();
    let options = tables::Options { url: database.url(), max_connections: 1 };
    let store = tables::Store::connect(&options).await.unwrap();
    for patience in 0..200 {
        let mut given_up = Box::pin(store.snapshot("given_up"));
        for _ in 0..patience * 2 {
            if futures::poll!(&mut given_up).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(given_up);
        // The same connection, outside of any transaction.
        tables::clock(&store).await.unwrap();
        store.snapshot("next").await.unwrap();
    }
}
