//! Exactly what is committed is published, once and in order, whatever is killed, stopped, late or lost meanwhile.
//!
//! `support/writers.rs` has the callers, `support/stream.rs` reads the stream, and `support/events.rs` judges it, stretch by stretch.

use std::time::Duration;

use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::support::events::{Fault, disagreements, disagreements_so_far};
use crate::support::nats::Nats;
use crate::support::proxy::{Mode, Proxy};
use crate::support::stream::{Message, STREAM, complete, read};
use crate::support::writers::{Told, Writers, contradictions};
use crate::support::*;

/// What makes an append depend on what is there.
const GUARD: &str = "Nats-Expected-Last-Subject-Sequence";
/// Longer than the database leaves a transaction to a client that is silent, and than the broker may take to answer.
const STOPPED: Duration = Duration::from_secs(12);
/// How long callers and relays may take to get from one trouble to the next.
const LIMIT: Duration = Duration::from_secs(90);
const ACCOUNTS: usize = 6;
const CALLERS: usize = 12;

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    KillReplica,
    KillBroker,
    LoseAck,
    /// A replica stands still for a while.
    Stop,
    /// What the broker keeps is copied, to be put back.
    Copy,
    Purge,
    PutBack,
}

/// How much is written, and what goes wrong meanwhile.
struct Plan {
    changes: usize,
    troubles: Vec<Trouble>,
}

impl Plan {
    /// On SQLite less of everything, for there is one replica to do it.
    fn whole(dice: &mut Dice) -> Self {
        let postgres = store() == Store::Postgres;
        let mut plan = if postgres { Self::of(20_000, (20, 10, 1), dice) } else { Self::of(2_000, (5, 3, 0), dice) };
        let count = plan.troubles.len();
        for (place, trouble) in [(5, Trouble::PutBack), (3, Trouble::Purge), (1, Trouble::Copy)] {
            plan.troubles.insert(count * place / 6, trouble);
        }
        plan
    }

    fn of(changes: usize, (kills, acks, stops): (usize, usize, usize), dice: &mut Dice) -> Self {
        let mut troubles = [vec![Trouble::LoseAck; acks], vec![Trouble::Stop; stops]].concat();
        troubles
            .extend((0..kills).map(|_| *dice.pick(&[Trouble::KillReplica, Trouble::KillReplica, Trouble::KillBroker])));
        for place in (1..troubles.len()).rev() {
            troubles.swap(place, dice.roll(place + 1));
        }
        Self { changes, troubles }
    }
}

/// Replicas that publish to a broker. The fields are dropped in this order.
struct Case {
    world: World,
    proxy: Proxy,
    nats: Nats,
    dice: Dice,
    /// Those that callers write to, and one that they leave alone: what the stream loses of it nobody but the service misses.
    accounts: Vec<Account>,
    quiet: Account,
    /// The replica that stands still, and since when.
    stopped: Option<(usize, Instant)>,
    /// What the broker kept once, and with which message that ended.
    copy: Option<(TempDir, u64)>,
    /// What the stream was each time before it lost something.
    stretches: Vec<Vec<Message>>,
}

impl Case {
    fn begin(nats: Nats, proxy: Proxy, dice: Dice) -> Self {
        let setup = three_replicas().set("events.url", proxy.url());
        let world = setup.set("events.poll_interval", "100ms").set("events.ack_timeout", "1s").start();
        let (accounts, quiet) = ((0..ACCOUNTS).map(|_| world.account()).collect(), world.account());
        Self { world, proxy, nats, dice, accounts, quiet, stopped: None, copy: None, stretches: Vec::new() }
    }

    /// An event is on its way for so long that others publish the same before it arrives.
    async fn delay_an_event(&mut self) {
        self.quiet.members(["anna", "ben"]).await;
        self.quiet.leads(["L1"]).await;
        self.published().await;
        self.proxy.set(Mode::HoldEvent);
        self.quiet.assign("L1", "anna").ok().await;
        let on_its_way = async || (self.proxy.mode() == Mode::EventHeld).then_some(());
        eventually("an event is on its way", on_its_way).await;
        if self.world.replicas.len() == 1 {
            // The others are the one that comes after it.
            self.world.restart(0);
        }
        self.published().await;
        self.proxy.set(Mode::Pass);
    }

    /// Waits until the last change of the quiet account is published.
    async fn published(&mut self) {
        let replica = self.any_replica();
        let account = self.quiet.through(&self.world, replica);
        let head = account.revision().await;
        let is_last = |message: &Message| message.event.account_id == account.id && message.event.last_revision == head;
        let there = async || read(&self.nats).await.iter().any(is_last).then_some(());
        eventually("the last change is published", there).await;
    }

    /// Has callers write while one thing after the other goes wrong. What they were told.
    async fn disturb(&mut self, plan: Plan) -> Vec<Told> {
        let mut writers = Writers::start(&self.world, &self.accounts, CALLERS, self.dice.0).await;
        for trouble in plan.troubles {
            let (some, end) = (writers.changes() + self.dice.roll(500), self.end_of_stream().await);
            self.until(async |case| writers.changes() > some && case.end_of_stream().await > end).await;
            self.make(trouble, &mut writers).await;
        }
        self.until(async |case| writers.changes() >= plan.changes && case.stopped.is_none()).await;
        writers.end().await
    }

    /// Waits for this, and has the replica that stands still go on when it is time.
    async fn until(&mut self, mut done: impl AsyncFnMut(&Self) -> bool) {
        let limit = Instant::now() + LIMIT;
        while !done(self).await {
            assert!(Instant::now() < limit, "nothing goes on any more");
            if let Some((replica, _)) = self.stopped.take_if(|(_, since)| since.elapsed() > STOPPED) {
                self.world.replicas[replica].resume();
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end_of_stream(&self) -> u64 {
        let stream = self.nats.jetstream().await.get_stream(STREAM).await;
        stream.map_or(0, |stream| stream.cached_info().state.last_sequence)
    }

    async fn make(&mut self, trouble: Trouble, writers: &mut Writers) {
        match trouble {
            Trouble::KillReplica => {
                let replica = self.any_replica();
                block_in_place(|| self.world.restart(replica));
                writers.moved(&self.world, replica);
            }
            Trouble::KillBroker => block_in_place(|| self.nats.restart()),
            Trouble::LoseAck => {
                self.proxy.set(Mode::LoseAck);
                self.until(async |case| case.proxy.mode() == Mode::Pass).await;
            }
            Trouble::Stop => {
                let replica = self.any_replica();
                self.world.replicas[replica].pause();
                self.stopped = Some((replica, Instant::now()));
            }
            Trouble::Copy => {
                self.nats.kill();
                let copy = block_in_place(|| self.nats.copy());
                block_in_place(|| self.nats.restart());
                self.copy = Some((copy, self.end_of_stream().await));
                let replica = self.any_replica();
                self.quiet.through(&self.world, replica).assign("L1", "ben").ok().await;
                self.published().await;
            }
            Trouble::Purge => {
                self.stretches.push(read(&self.nats).await);
                let stream = self.nats.jetstream().await.get_stream(STREAM).await.unwrap();
                stream.purge().await.unwrap();
            }
            Trouble::PutBack => {
                // What was purged and is not written to again is there again.
                self.published().await;
                self.stretches.push(read(&self.nats).await);
                let (copy, end) = self.copy.take().expect("it was copied before");
                assert!(self.end_of_stream().await > end, "something is lost");
                self.nats.kill();
                self.nats.put_back(&copy);
                block_in_place(|| self.nats.restart());
            }
        }
    }

    /// One that does not stand still.
    fn any_replica(&mut self) -> usize {
        let stopped = self.stopped.map(|(replica, _)| replica);
        let running: Vec<_> = (0..self.world.replicas.len()).filter(|replica| Some(*replica) != stopped).collect();
        *self.dice.pick(&running)
    }
}

/// Chance that is another one in each run, unless it is said which.
fn dice() -> Dice {
    let seed = std::env::var("OWNERSHIP_TEST_SEED").map_or(now() as u64, |seed| seed.parse().unwrap());
    eprintln!("OWNERSHIP_TEST_SEED={seed}");
    Dice(seed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_published_once_and_in_order_whatever_is_killed_stopped_late_or_lost() {
    let (nats, mut dice) = (Nats::start(), dice());
    let (proxy, plan) = (Proxy::before(&nats.url()), Plan::whole(&mut dice));
    let (mut case, least) = (Case::begin(nats, proxy, dice), plan.changes);
    case.delay_an_event().await;
    let told = case.disturb(plan).await;
    let last = complete(&case.world, &case.nats).await;
    let tables = case.world.tables().await;
    for (stretch, number) in case.stretches.iter().zip(1..) {
        let complaints = disagreements_so_far(stretch, &tables);
        assert!(complaints.is_empty(), "stretch {number}: {:#?}", &complaints[..complaints.len().min(10)]);
    }
    assert_eq!(contradictions(&told, &tables), [""; 0]);
    let changes: usize = last.iter().map(|message| message.event.changes.len()).sum();
    let lengths: Vec<_> = case.stretches.iter().chain([&last]).map(Vec::len).collect();
    println!("{changes} changes of {} requests, in stretches of {lengths:?} messages", told.len());
    assert!(changes >= least, "{changes}");
    case.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_guard_of_appends_the_same_is_published_twice() {
    let (nats, mut dice) = (Nats::start(), dice());
    let (proxy, plan) = (Proxy::without(GUARD, &nats.url()), Plan::of(1_000, (2, 1, 0), &mut dice));
    let mut case = Case::begin(nats, proxy, dice);
    case.delay_an_event().await;
    case.disturb(plan).await;
    let seen = async || {
        let complaints = disagreements(&read(&case.nats).await, &case.world.tables().await);
        complaints.iter().any(|complaint| complaint.fault == Fault::Twice).then_some(())
    };
    eventually("the fault is seen", seen).await;
}
