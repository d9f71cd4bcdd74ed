//! A rollout: replicas go and come back one after the other, and callers who keep to the published policy do not notice.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ownership_client::{Client, Options, Watch, Watched};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::pb::WatchOwnerChangesRequest;
use crate::support::pb::watch_owner_changes_request::Start;
use crate::support::*;

/// Enough that many of them are turned away at the same moment.
const CALLERS: usize = 48;
const WATCHERS: usize = 6;
/// What each replica is restarted as: the same, then the release before, then this one again.
const ROUNDS: [fn() -> Command; 3] = [program, previous_program, program];
/// Calls that everybody makes together before the next replica goes.
const CALLS_BETWEEN: usize = 500;

/// What the callers share with who started them.
#[derive(Default)]
struct Load {
    calls: AtomicUsize,
    ended: AtomicBool,
}

impl Load {
    /// Has one caller give its lead to one member after the other, and read what became of it. Which revisions that made.
    async fn call(self: Arc<Self>, client: Client, account: Account, lead: String) -> Vec<i64> {
        let mut revisions = Vec::new();
        for owner in ["anna", "ben"].into_iter().cycle() {
            if self.ended.load(Ordering::Relaxed) {
                break;
            }
            let assigned = client.call(account.assign(&lead, owner).request).await.expect("no write fails");
            let read = client.call(account.owner(&lead).request).await.expect("no read fails");
            assert_eq!(read.ownership.unwrap().owner_id.as_deref(), Some(owner), "it is read as it was written");
            revisions.push(assigned.revision);
            self.calls.fetch_add(2, Ordering::Relaxed);
            sleep(Duration::from_millis(5)).await;
        }
        revisions
    }

    /// Waits until so many more calls have succeeded.
    async fn goes_on(&self) {
        let enough = self.calls.load(Ordering::Relaxed) + CALLS_BETWEEN;
        eventually("calls go on", async || (self.calls.load(Ordering::Relaxed) >= enough).then_some(())).await;
    }
}

/// Which revisions a watch tells of, until it has come to the one that is the last as soon as there is one.
async fn told(mut watch: Watch, mut last: tokio::sync::watch::Receiver<Option<i64>>) -> Vec<i64> {
    let mut revisions = Vec::new();
    loop {
        let seen = watch.position().map(|position| position.revision);
        if last.borrow().is_some_and(|last| seen >= Some(last)) {
            return revisions;
        }
        tokio::select! {
            heard = watch.next() => match heard.expect("no watch fails") {
                Watched::Changes(changes) => revisions.extend(changes.iter().map(|change| change.revision)),
                Watched::Progress => {}
                Watched::StartOver(why) => panic!("the watch has a gap: {why:?}"),
            },
            changed = last.changed() => changed.unwrap(),
        }
    }
}

async fn client(world: &World) -> Client {
    let addresses = (0..world.replicas.len()).map(|replica| world.url(replica).to_owned());
    Client::open(addresses, Options::default()).await.unwrap()
}

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.register((0..CALLERS).map(|number| lead(&format!("L{number}"))).collect::<Vec<_>>()).ok().await;
    account
}

fn watching(account: &Account, after: i64) -> WatchOwnerChangesRequest {
    account.watch().with(|request| request.start = Some(Start::AfterRevision(after))).every(1).request
}

/// Calls that a replica has answered.
async fn answered(world: &World, replica: usize) -> f64 {
    let metrics = Scraped::of(&world.replicas[replica].ask("/metrics").await.1);
    metrics.reading("rpc_server_call_duration_seconds_count", &["GetOwner", "rpc_response_status_code=\"OK\""])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_and_no_watch_has_a_gap_while_replicas_are_restarted_rolled_back_and_upgraded() {
    if store() == Store::Sqlite {
        // One process has the file: while it restarts, nobody could answer.
        return;
    }
    three_replicas()
        .check(async |world| {
            let (account, client, load) = (team(world).await, client(world).await, Arc::new(Load::default()));
            let start = account.revision().await;
            let (end, ended) = tokio::sync::watch::channel(None);
            let watchers: JoinSet<_> =
                (0..WATCHERS).map(|_| told(client.watch(watching(&account, start)), ended.clone())).collect();
            let callers: JoinSet<_> = (0..CALLERS)
                .map(|number| Arc::clone(&load).call(client.clone(), account.clone(), format!("L{number}")))
                .collect();
            let replicas = world.replicas.len();
            for (program, replica) in ROUNDS.into_iter().flat_map(|program| (0..replicas).map(move |it| (program, it)))
            {
                load.goes_on().await;
                let status = world.roll(replica, program()).await.expect("it ends in time");
                assert!(status.success(), "{status:?}");
                let takes_part = async || (answered(world, replica).await > 0.0).then_some(());
                eventually("the new one is called", takes_part).await;
            }
            load.goes_on().await;
            load.ended.store(true, Ordering::Relaxed);
            let mut made: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
            made.sort_unstable();
            end.send_replace(made.last().copied());
            for heard in watchers.join_all().await {
                assert_eq!(heard, made, "each revision is told of once, in order");
            }
        })
        .await;
}
