//! Random requests of several accounts through the doors of one or two ledgers, which are killed now and then: whatever the
//! interleaving, what callers were told, the log, the tables and the books agree, and nothing came to pass that somebody must look
//! at.
//!
//! The ledgers live in this process, each in a runtime of its own: dropping that ends them at whatever they are doing. Real
//! processes are killed in `surviving_kills`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ownership::context::{Context, Freshness};
use ownership::domain::ids::{AccountId, Revision};
use ownership::domain::time::Timestamp;
use ownership::ledger::{Ledger, Options, Retention};
use ownership::store::{self, Store as Tables};
use parking_lot::Mutex;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::judge::{Picture, Remains, Sent};
use crate::support::plan::{ACCOUNTS, Attempt, Patience, Plan, Wave, caller, foundations, last_word, plan, request_id};
use crate::support::{Database, Store, eventually, one_replica, store};

/// Far more than anything takes.
const LONG: Duration = Duration::from_secs(20);

/// What was logged because somebody must look.
#[derive(Clone, Default)]
struct Alarms(Arc<Mutex<Vec<u8>>>);

impl Alarms {
    /// Listens from now on. A process can do so once; this is the only test whose ledgers log into its own process.
    fn start() -> Self {
        let alarms = Self::default();
        let writer = alarms.clone();
        let lines = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let errors = Targets::new().with_target("ownership", tracing::Level::ERROR);
        tracing_subscriber::registry().with(lines.with_filter(errors)).init();
        alarms
    }

    /// What came since it was asked last.
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock())).unwrap()
    }
}

impl std::io::Write for Alarms {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A ledger that can be killed.
struct Replica {
    runtime: Runtime,
    ledger: Ledger,
}

impl Replica {
    fn start(url: &str, plan: &Plan) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let ledger = runtime.block_on(async {
            let tables = connect(url).await;
            // A transaction of a killed one may be on its way into the file still. Another process would wait for its lock.
            tables.begin("barrier").await.unwrap().end().await.unwrap();
            Ledger::start(tables, options(plan)).await.unwrap()
        });
        Self { runtime, ledger }
    }

    fn kill(self) {
        drop(self.ledger);
        self.runtime.shutdown_timeout(LONG);
    }
}

/// Other tests start programs from this process, and each has a copy of the lock of a SQLite file until it is another program:
/// for that moment the file is in use, though the ledger that used it is gone.
async fn connect(url: &str) -> Tables {
    let options = store::Options { url: url.to_owned(), max_connections: 6 };
    eventually("nobody uses the tables", async || match Tables::connect(&options).await {
        Err(store::Error::InUse { .. }) => None,
        connected => Some(connected.unwrap()),
    })
    .await
}

fn options(plan: &Plan) -> Options {
    Options {
        queue_depth: 8,
        max_batch: plan.max_batch,
        writers: plan.writers,
        connections: 6,
        memory_budget_bytes: 1 << 30,
        idle_after: if plan.forgetful { Duration::ZERO } else { LONG * 60 },
        poll_interval: Duration::from_millis(2),
        retention: Retention { facts: LONG * 60, history: None, requests: LONG * 60, until_published: false },
        trim_interval: LONG * 60,
    }
}

/// One case: its accounts, what was sent to them, and the replicas that run.
struct Case<'a> {
    plan: &'a Plan,
    url: &'a str,
    accounts: Vec<AccountId>,
    replicas: Vec<Replica>,
    sent: Vec<Arc<Mutex<BTreeMap<usize, Sent>>>>,
    next: usize,
}

impl<'a> Case<'a> {
    fn begin(plan: &'a Plan, url: &'a str) -> Self {
        static CASES: AtomicUsize = AtomicUsize::new(0);
        let number = CASES.fetch_add(1, Ordering::Relaxed);
        let accounts = (0..ACCOUNTS).map(|account| AccountId::parse(&format!("case-{number}-{account}")).unwrap());
        let replicas = if store() == Store::Postgres { 2 } else { 1 };
        Self {
            plan,
            url,
            accounts: accounts.collect(),
            replicas: (0..replicas).map(|_| Replica::start(url, plan)).collect(),
            sent: (0..ACCOUNTS).map(|_| Arc::default()).collect(),
            next: 0,
        }
    }

    /// Sends a request from within the process that serves it, and notes what comes back.
    fn send(&mut self, attempt: &Attempt) -> tokio::task::JoinHandle<()> {
        let replica = &self.replicas[attempt.replica % self.replicas.len()];
        let (ledger, sent) = (replica.ledger.clone(), Arc::clone(&self.sent[attempt.account]));
        let (account, number) = (self.accounts[attempt.account].clone(), self.next);
        self.next += 1;
        let (command, patience, after) = (self.plan.command(attempt, number), attempt.patience, attempt.after);
        replica.runtime.spawn(async move {
            sleep(after).await;
            note(&sent, number, command.clone());
            let patient = match patience {
                Patience::Long => LONG,
                Patience::Deadline(deadline) => deadline,
                Patience::Cancel(_) => LONG,
            };
            let context = Context { account, now: Timestamp(0), deadline: Instant::now() + patient };
            let written = ledger.write(&context, command);
            let answer = match patience {
                Patience::Cancel(after) => tokio::time::timeout(after, written).await.ok(),
                Patience::Long | Patience::Deadline(_) => Some(written.await),
            };
            sent.lock().get_mut(&number).unwrap().answer = answer;
        })
    }

    /// Sends one request after the other.
    fn in_turn(&mut self, attempts: &[Attempt]) {
        for attempt in attempts {
            let done = self.send(attempt);
            self.replicas[attempt.replica % self.replicas.len()].runtime.block_on(done).unwrap();
        }
    }

    fn run(&mut self, wave: &Wave) {
        let held = wave.held.map(|(account, time)| {
            let (ledger, account) = (self.replicas[0].ledger.clone(), self.accounts[account].clone());
            let runtime = &self.replicas[0].runtime;
            let held = runtime.block_on(async {
                let tx = ledger.log().begin("held").await.unwrap();
                store::heads::lock(&tx, &account).await.unwrap();
                tx
            });
            runtime.spawn(async move {
                sleep(time).await;
                held.end().await.unwrap();
            })
        });
        let under_way: Vec<_> = wave.attempts.iter().map(|attempt| self.send(attempt)).collect();
        if let Some((replica, after)) = wave.kill {
            std::thread::sleep(after);
            let replica = replica % self.replicas.len();
            self.replicas.remove(replica).kill();
            self.replicas.insert(replica, Replica::start(self.url, self.plan));
        }
        let any = &self.replicas[0].runtime;
        any.block_on(async {
            for task in under_way.into_iter().chain(held) {
                // Those of a replica that was killed are cancelled.
                assert!(task.await.is_ok() || wave.kill.is_some(), "a caller panicked");
            }
        });
    }

    /// Lets everything come to its end, and gathers what is left.
    fn end(mut self) -> Vec<Remains> {
        let last: Vec<_> = (0..ACCOUNTS)
            .flat_map(|account| (0..self.replicas.len()).map(move |replica| last_word(account, replica)))
            .collect();
        self.in_turn(&last);
        let mut books: Vec<Vec<Picture>> = self.accounts.iter().map(|_| Vec::new()).collect();
        let look = |replica: &Replica, books: &mut Vec<Vec<Picture>>| {
            for (account, books) in self.accounts.iter().zip(books) {
                books.push(replica.runtime.block_on(picture(&replica.ledger, account)));
            }
        };
        self.replicas.iter().for_each(|replica| look(replica, &mut books));
        self.replicas.drain(..).for_each(Replica::kill);
        let fresh = Replica::start(self.url, self.plan);
        look(&fresh, &mut books);
        let accounts = self.accounts.iter().enumerate().zip(self.sent.iter().zip(books));
        let remains = accounts.map(|((number, account), (sent, books))| {
            let caller = caller();
            let ids = (0..16).map(|id| (account, &caller, request_id(number, id)));
            let (log, used) = fresh.runtime.block_on(async {
                let log = store::facts::commits_from(fresh.ledger.log(), account, Revision::ZERO, 1 << 20).await;
                let used = store::requests::find(fresh.ledger.log(), ids).await.unwrap().remove(account);
                (log.unwrap(), used.unwrap_or_default())
            });
            Remains { sent: std::mem::take(&mut sent.lock()), log, used, books }
        });
        let remains = remains.collect();
        fresh.kill();
        remains
    }
}

fn note(sent: &Mutex<BTreeMap<usize, Sent>>, number: usize, command: ownership::domain::command::Command) {
    let mut sent = sent.lock();
    let told = sent.values().filter_map(|sent| Some(sent.answer.as_ref()?.as_ref().ok()?.revision)).max();
    sent.insert(number, Sent { command, from: told.unwrap_or_default(), answer: None });
}

async fn picture(ledger: &Ledger, account: &AccountId) -> Picture {
    let context = Context { account: account.clone(), now: Timestamp(0), deadline: Instant::now() + LONG };
    ledger.book(&context, Freshness::Strict).await.unwrap().ask(Picture::of)
}

fn run(plan: &Plan, url: &str, alarms: &Alarms) -> Result<Vec<Remains>, TestCaseError> {
    let mut case = Case::begin(plan, url);
    for account in 0..ACCOUNTS {
        case.in_turn(&foundations(account, account));
    }
    plan.waves.iter().for_each(|wave| case.run(wave));
    let remains = case.end();
    // The door serves every caller even if a batch cannot be committed as it was put together. That is a defect all the same.
    let alarms = alarms.take();
    if !alarms.is_empty() {
        return Err(TestCaseError::fail(format!("somebody must look: {alarms}")));
    }
    for account in &remains {
        account.judge().map_err(TestCaseError::fail)?;
    }
    Ok(remains)
}

#[test]
fn whatever_comes_between_requests_and_their_answers_all_that_is_left_agrees() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let database = Database::migrated();
    let url = database.url();
    if store() == Store::Sqlite {
        // An empty file: a server brings it up to date.
        assert!(crate::support::run(&["migrate"], &[("OWNERSHIP__DATABASE__URL", &url)]).status.success());
    }
    let alarms = Alarms::start();
    let tally = Mutex::new(BTreeMap::<&'static str, usize>::new());
    let outcome = runner.run(&plan(), |plan| {
        for remains in run(&plan, &url, &alarms)? {
            remains.sent.values().for_each(|sent| *tally.lock().entry(sent.kind()).or_default() += 1);
        }
        Ok(())
    });
    if let Err(TestError::Fail(reason, plan)) = outcome {
        panic!("{reason}\nin: {plan:#?}");
    }
    let tally = tally.into_inner();
    println!("{tally:?}");
    // A run in which hardly anything of a kind happened would show nothing about it.
    for kind in ["changed", "unchanged", "refused", "replayed", "reused", "deadline", "unanswered"] {
        assert!(tally.get(kind).is_some_and(|count| *count >= cases as usize / 8), "{kind}: {tally:?}");
    }
    // The tables once more, with code that shares nothing with the service.
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async { one_replica().start_over(database).verify().await });
}
