//! Accounts take turns at the database: a busy one does not hold up a quiet one, and one that hangs does not hold up any.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::*;

const CALLERS: usize = 400;
/// Leads that each caller gives back and forth with one bulk.
const LEADS: usize = 5;
/// Bulks that share a transaction, at most: what the busy account may move on by in one batch.
const BATCH: i64 = 16;

fn leads_of(caller: usize) -> Vec<String> {
    (0..LEADS).map(|number| format!("L{caller}-{number}")).collect()
}

/// Gives the same leads to one member and the other until told to stop. Each bulk changes something, so each is a revision.
async fn hammer(account: Account, caller: usize, stop: Arc<AtomicBool>) {
    for owner in ["anna", "ben"].iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        account.bulk(leads_of(caller).iter().map(|lead| to(lead, owner)).collect::<Vec<_>>()).ok().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_write_waits_for_a_few_batches_of_a_busy_account_and_not_for_its_queue() {
    one_replica()
        .set("door.writers", 1)
        .set("door.max_batch", BATCH)
        .check(async |world| {
            let (busy, quiet) = (world.account(), world.account());
            for account in [&busy, &quiet] {
                account.members(["anna", "ben"]).await;
            }
            quiet.leads(["L1"]).await;
            for callers in (0..CALLERS).collect::<Vec<_>>().chunks(1_000 / LEADS) {
                let leads = callers.iter().flat_map(|caller| leads_of(*caller));
                busy.register(leads.map(|id| lead(&id)).collect::<Vec<_>>()).ok().await;
            }
            let stop = Arc::new(AtomicBool::new(false));
            // Calls of one account on connections that the other one does not use.
            let channels: Vec<_> = (0..8).map(|_| busy.through(world, 0)).collect();
            let hammering = (0..CALLERS).map(|caller| hammer(channels[caller % 8].clone(), caller, Arc::clone(&stop)));
            let hammering: Vec<_> = hammering.map(tokio::spawn).collect();
            let begin = busy.revision().await + 4 * BATCH;
            eventually("all hammer", async || (busy.revision().await > begin).then_some(())).await;
            let mut waited = Vec::new();
            for round in 0..21 {
                let before = quiet.through_of(&busy).settings().hurried().ok().await.revision;
                quiet.assign("L1", ["anna", "ben"][round % 2]).ok().await;
                let after = quiet.through_of(&busy).settings().hurried().ok().await.revision;
                waited.push((after - before + BATCH - 1) / BATCH);
            }
            stop.store(true, Ordering::Relaxed);
            for caller in hammering {
                caller.await.unwrap();
            }
            waited.sort_unstable();
            println!("batches of the busy account meanwhile: {waited:?}");
            let (median, most) = (waited[waited.len() / 2], waited[waited.len() - 1]);
            // One that is under way, one if the busy account was first in line; the rest is how long the calls themselves take.
            assert!(median <= 4 && most <= 12, "batches of the busy account meanwhile: {waited:?}");
        })
        .await;
}

impl Account {
    /// Another account over the connection of this one.
    fn through_of(&self, other: &Self) -> Self {
        Self { id: other.id.clone(), channel: self.channel.clone() }
    }
}

#[tokio::test]
async fn who_hangs_while_preparing_lets_others_prepare() {
    if store() == Store::Sqlite {
        return;
    }
    one_replica()
        .check(async |world| {
            let (stuck, free) = (world.account(), world.account());
            for account in [&stuck, &free] {
                account.members(["anna"]).await;
                account.leads(["L1"]).await;
            }
            let sql = world.sql().await;
            let held = sql.hold_mark(&stuck.id).await;
            let hangs = tokio::spawn(stuck.assign("L1", "anna").into_future());
            eventually("it hangs", async || (sql.waiting().await > 0).then_some(())).await;
            let began = Instant::now();
            for _ in 0..3 {
                free.assign("L1", "anna").ok().await;
                free.unassign("L1").ok().await;
            }
            // Far less than it takes the database to end what hangs.
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
            assert!(!hangs.is_finished(), "the other account waits, and nobody for it");
            drop(held);
            assert_eq!(hangs.await.unwrap().unwrap().outcome(), Outcome::Assigned);
        })
        .await;
}

#[tokio::test]
async fn an_account_whose_write_hangs_does_not_hold_up_others_for_ever() {
    // On SQLite there is one lock for all accounts: who holds it holds up everybody.
    if store() == Store::Sqlite {
        return;
    }
    one_replica()
        .set("door.writers", 1)
        .check(async |world| {
            let (stuck, free) = (world.account(), world.account());
            for account in [&stuck, &free] {
                account.members(["anna"]).await;
                account.leads(["L1"]).await;
            }
            let held = world.sql().await.hold_head(&stuck.id).await;
            let hangs = tokio::spawn(stuck.assign("L1", "anna").into_future());
            for _ in 0..3 {
                free.assign("L1", "anna").ok().await;
                free.unassign("L1").ok().await;
            }
            assert!(!hangs.is_finished(), "the other account waits for its lock, and nobody for it");
            drop(held);
            assert_eq!(hangs.await.unwrap().unwrap().outcome(), Outcome::Assigned);
        })
        .await;
}
