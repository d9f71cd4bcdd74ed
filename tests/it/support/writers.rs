//! Callers that write to several accounts at the same time. What is not answered they send again, as the same request, to another
//! replica, until it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;

use super::call::Write;
use super::fold::is_owner_change;
use super::pb::{BulkAssignItem, DefaultSender, LeadResult, Member, Settings};
use super::tables::Tables;
use super::{Account, Call, Channel, Code, Dice, FailureMode, Outcome, Rpc, World, lead, member, nobodys, owned, to};

const OWNERS: [&str; 5] = ["anna", "ben", "cem", "dora", "eva"];
/// Leads of each account: more than fit into one event. The first ones are written again and again.
const LEADS: usize = 700;
const BUSY: usize = 40;
/// How long a caller waits before it asks another replica, and until it gives up altogether.
const PATIENCE: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);

/// A request that was answered.
#[derive(Debug)]
pub struct Told {
    account: String,
    /// Its reason, by which the log knows it. Each request has its own.
    reason: String,
    revision: i64,
    /// How many owners it changed.
    changes: usize,
}

/// What the callers share with who started them.
pub struct Shared {
    replicas: RwLock<Vec<Channel>>,
    changes: AtomicUsize,
    ended: AtomicBool,
}

/// Callers at work. They end when they are dropped.
pub struct Writers {
    shared: Arc<Shared>,
    callers: JoinSet<Vec<Told>>,
}

impl Writers {
    /// Makes leads and members known in the accounts, and starts so many callers.
    pub async fn start(world: &World, accounts: &[Account], callers: usize, seed: u64) -> Self {
        let ids: Vec<_> = (0..LEADS).map(|number| lead(&id(number))).collect();
        for account in accounts.iter().map(|account| account.through(world, 0)) {
            account.upsert(OWNERS.map(member)).ok().await;
            account.register(ids.clone()).ok().await;
        }
        let replicas = (0..world.replicas.len()).map(|replica| world.channel(replica)).collect();
        let shared =
            Shared { replicas: RwLock::new(replicas), changes: AtomicUsize::new(0), ended: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let caller = |number: usize| Caller {
            shared: Arc::clone(&shared),
            accounts: accounts.to_vec(),
            number,
            replica: number,
            dice: Dice(seed.wrapping_add(number as u64)),
            registered: Vec::new(),
            told: Vec::new(),
        };
        let callers = (0..callers).map(|number| caller(number).run()).collect();
        Self { shared, callers }
    }

    /// How many owners were changed, as far as callers were told.
    pub fn changes(&self) -> usize {
        self.shared.changes.load(Ordering::Relaxed)
    }

    /// A replica is somewhere else now.
    pub fn moved(&self, world: &World, replica: usize) {
        self.shared.replicas.write()[replica] = world.channel(replica);
    }

    /// Lets each caller finish what it has begun. What they were told.
    pub async fn end(self) -> Vec<Told> {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

/// What the log does not say as callers were told, or says twice.
pub fn contradictions(told: &[Told], tables: &Tables) -> Vec<String> {
    let mut logged: BTreeMap<(&str, &str), BTreeMap<i64, usize>> = BTreeMap::new();
    for (account, rows) in &tables.0 {
        for fact in rows.facts.iter().filter(|fact| is_owner_change(fact)) {
            *logged.entry((account, &fact.reason)).or_default().entry(fact.revision).or_default() += 1;
        }
    }
    let wrong = told.iter().filter(|told| {
        let expected = if told.changes > 0 { BTreeMap::from([(told.revision, told.changes)]) } else { BTreeMap::new() };
        let logged = logged.get(&(told.account.as_str(), told.reason.as_str()));
        *logged.unwrap_or(&BTreeMap::new()) != expected
    });
    wrong.map(|told| format!("{told:?}, in the log {:?}", logged.get(&(&told.account, &told.reason)))).collect()
}

fn id(number: usize) -> String {
    format!("L{number}")
}

struct Caller {
    shared: Arc<Shared>,
    accounts: Vec<Account>,
    number: usize,
    /// The one that answered last.
    replica: usize,
    dice: Dice,
    /// Leads of its own.
    registered: Vec<(Account, String)>,
    told: Vec<Told>,
}

impl Caller {
    async fn run(mut self) -> Vec<Told> {
        for step in 0.. {
            if self.shared.ended.load(Ordering::Relaxed) {
                break;
            }
            let reason = format!("{}/{step}", self.number);
            let account = self.dice.pick(&self.accounts).clone();
            let (revision, changes) = self.write(&account, &reason).await;
            self.shared.changes.fetch_add(changes, Ordering::Relaxed);
            self.told.push(Told { account: account.id, reason, revision, changes });
        }
        self.told
    }

    /// Any write: the revision it made, and how many owners it changed.
    async fn write(&mut self, account: &Account, reason: &str) -> (i64, usize) {
        let (lead, owner) = (id(self.dice.roll(BUSY)), *self.dice.pick(&OWNERS));
        match self.dice.roll(150) {
            0..15 => {
                let answer = self.insist(account.unassign(&lead).reason(reason)).await;
                (answer.revision, changed([answer.outcome()]))
            }
            15..40 => {
                let most = 2 + self.dice.roll(10);
                let items = self.items(most);
                self.bulk(account.bulk(items).reason(reason)).await
            }
            40..50 => {
                let mut items = self.items(5);
                items.insert(self.dice.roll(5), to("nobody-knows-it", owner));
                let call = account.bulk(items).with(|request| request.set_failure_mode(FailureMode::SkipFailed));
                self.bulk(call.reason(reason)).await
            }
            50..57 => self.register(account, reason).await,
            57..62 => self.forget(account, reason).await,
            62..66 => {
                let member = Member { display_name: reason.to_owned(), ..member(owner) };
                (self.insist(account.upsert([member]).reason(reason)).await.revision, 0)
            }
            66..69 => {
                let sender = DefaultSender { name: reason.to_owned(), email: "team@example.com".to_owned() };
                let settings = Settings { default_sender: Some(sender), ..Settings::default() };
                (self.insist(account.set_settings(settings).reason(reason)).await.revision, 0)
            }
            69 => {
                let items = self.items(LEADS);
                self.bulk(account.bulk(items).reason(reason)).await
            }
            _ => {
                let answer = self.insist(account.assign(&lead, owner).reason(reason)).await;
                (answer.revision, changed([answer.outcome()]))
            }
        }
    }

    /// Items about so many leads, one after the other from any of the busy ones on.
    fn items(&mut self, count: usize) -> Vec<BulkAssignItem> {
        let first = self.dice.roll(BUSY);
        let item = |number| match self.dice.roll(OWNERS.len() + 1) {
            0 => nobodys(&id((first + number) % LEADS)),
            owner => to(&id((first + number) % LEADS), OWNERS[owner - 1]),
        };
        (0..count).map(item).collect()
    }

    async fn bulk(&mut self, call: Call<super::pb::BulkAssignRequest>) -> (i64, usize) {
        let answer = self.insist(call).await;
        (answer.revision, changed(answer.results.iter().map(|result| result.outcome())))
    }

    async fn register(&mut self, account: &Account, reason: &str) -> (i64, usize) {
        let name = |number| format!("own-{}-{number}", reason.replace('/', "-"));
        let owner = *self.dice.pick(&OWNERS);
        let leads = [owned(&name(0), owner), lead(&name(1)), lead(&name(2))];
        let answer = self.insist(account.register(leads).reason(reason)).await;
        self.registered.extend((0..3).map(|number| (account.clone(), name(number))));
        (answer.revision, changed(outcomes(&answer.results)))
    }

    /// Forgets one of its own leads, if it has one there.
    async fn forget(&mut self, account: &Account, reason: &str) -> (i64, usize) {
        let Some(place) = self.registered.iter().position(|(registered, _)| registered.id == account.id) else {
            return self.register(account, reason).await;
        };
        let (_, lead) = self.registered.swap_remove(place);
        let answer = self.insist(account.forget([lead]).reason(reason)).await;
        (answer.revision, changed(outcomes(&answer.results)))
    }

    /// Sends one request until it is answered.
    async fn insist<R: Rpc + Write>(&mut self, call: Call<R>) -> R::Answer {
        let call = call.once(&uuid::Uuid::new_v4().to_string());
        let limit = Instant::now() + LIMIT;
        loop {
            let channel = {
                let replicas = self.shared.replicas.read();
                replicas[self.replica % replicas.len()].clone()
            };
            match timeout(PATIENCE, Call { channel, ..call.clone() }).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(status)) => assert!(is_passing(&status), "{}: {status:?}", std::any::type_name::<R>()),
                Err(_) => {}
            }
            assert!(Instant::now() < limit, "{}: no answer within {LIMIT:?}", std::any::type_name::<R>());
            self.replica += 1;
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether a request may succeed when it is sent again. What has no details does not come from the service, but of a connection.
fn is_passing(status: &Status) -> bool {
    let passing = [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted, Code::Aborted, Code::Unknown];
    status.details().is_empty() || passing.contains(&status.code())
}

fn outcomes(results: &[LeadResult]) -> impl Iterator<Item = Outcome> {
    results.iter().map(|result| result.outcome())
}

/// How many of the outcomes are changes.
fn changed(outcomes: impl IntoIterator<Item = Outcome>) -> usize {
    outcomes.into_iter().filter(|outcome| !matches!(outcome, Outcome::Unchanged | Outcome::Failed)).count()
}
