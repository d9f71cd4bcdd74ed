//! What accounts take of the memory of a process, and what becomes of those that do not fit.
//!
//! Accounts are filled by plain SQL before the process that is looked at starts: what it takes is what it keeps of them, not what is
//! left of their making.

use std::collections::BTreeMap;

use pb::LeadOrder;

use crate::support::*;

/// Spreads neighbouring numbers over all ids, as random ids are.
const SCATTER: usize = 2_654_435_761;

/// How large an account is.
#[derive(Clone, Copy)]
struct Shape {
    members: usize,
    leads: usize,
    /// Bytes of further facts about each lead.
    notes: usize,
}

/// The id of a lead: 36 characters.
fn lead_id(number: usize) -> String {
    format!("{:08}-0000-7000-8000-{number:012}", number * SCATTER % 100_000_000)
}

impl Shape {
    fn owner(self, lead: usize) -> String {
        format!("member{}", lead % self.members)
    }

    /// Makes an account that has members and no leads yet.
    async fn begin(self, account: &Account) {
        let members: Vec<_> = (0..self.members).map(|number| member(&format!("member{number}"))).collect();
        account.upsert(members).ok().await;
    }

    /// Adds its leads, and the facts that tell of them. No server may run.
    async fn fill(self, sql: &Sql, account: &str) {
        let Self { members, leads, notes } = self;
        let attributes = if notes == 0 { "{}".to_owned() } else { format!("{{\"notes\":\"{}\"}}", "x".repeat(notes)) };
        sql.run(format!(
            "insert into lead (account_id, lead_id, owner_id, owner_since, revision, stage, stage_entered_at, closed, \
               created_at, source, attributes, observed_at) \
             with recursive filled(number) as ( \
               select cast(0 as bigint) union all select number + 1 from filled where number + 1 < {leads}) \
             select account_id, substr(cast(100000000 + number * {SCATTER} % 100000000 as text), 2) \
                 || '-0000-7000-8000-' || substr(cast(1000000000000 + number as text), 2), \
               'member' || (number % {members}), changed_at, revision + 1, 'Stage ' || (number / {members} % 5), \
               changed_at - number * 7919 % 2592000 * 1000000, number / {members} % 4 = 0, \
               changed_at - number * 7000000, 'api', '{attributes}', changed_at \
             from account_head, filled where account_id = '{account}'"
        ))
        .await;
        sql.run(format!(
            "insert into fact (account_id, revision, ordinal, kind, lead_id, owner_id, occurred_at, caller_id, source, \
               reason, payload) \
             select account_id, revision, row_number() over (order by lead_id) - 1, 'registered', lead_id, owner_id, \
               owner_since, 'test', source, '', '{{\"stage\":\"' || stage || '\",\"stage_entered_at\":' || stage_entered_at \
               || ',\"closed\":' || case when closed then 'true' else 'false' end || ',\"created_at\":' || created_at \
               || ',\"source\":\"' || source || '\",\"attributes\":' || attributes || ',\"observed_at\":' || observed_at || '}}' \
             from lead where account_id = '{account}'"
        ))
        .await;
        sql.run(format!("update account_head set revision = revision + 1 where account_id = '{account}'")).await;
    }
}

/// A service that tells how much memory it accounts for.
async fn with_accounts(setup: Setup, collector: &Collector, shapes: &[Shape]) -> (World, Vec<Account>) {
    let mut world = setup
        // Each connection has buffers and a cache of its own, which belong to no account.
        .set("database.max_connections", 2)
        .set("door.writers", 1)
        .set("telemetry.otlp_endpoint", collector.start())
        .set("OTEL_METRIC_EXPORT_INTERVAL", 100)
        .start();
    let accounts: Vec<_> = shapes.iter().map(|_| world.account()).collect();
    for (shape, account) in shapes.iter().zip(&accounts) {
        shape.begin(account).await;
    }
    world.replicas[0].kill();
    let sql = world.sql().await;
    for (shape, account) in shapes.iter().zip(&accounts) {
        shape.fill(&sql, &account.id).await;
    }
    drop(sql);
    world.restart(0);
    let accounts = accounts.iter().map(|account| account.through(&world, 0)).collect();
    (world, accounts)
}

/// What a process takes, and what it says that its accounts take, in bytes.
#[derive(Debug, Clone, Copy)]
struct Memory {
    taken: u64,
    said: u64,
}

impl Memory {
    /// The least of a second: what was freed goes back to the system in a moment, in steps.
    async fn now(world: &World, collector: &Collector) -> Self {
        const EXPORTS: usize = 10;
        // When an account is loaded, all of them are measured.
        world.account().settings().ok().await;
        let (mut taken, mut said) = (u64::MAX, 0);
        for _ in 0..EXPORTS {
            said = collector.reading("ownership.books.memory").await;
            taken = taken.min(world.replicas[0].memory());
        }
        Self { taken, said }
    }
}

/// Lists an account in every order, for one owner, for anybody and for a stage, and counts it.
async fn ask_everything(account: &Account, shape: Shape) {
    for order in [LeadOrder::CreatedAsc, LeadOrder::AssignedAsc, LeadOrder::StageEnteredAsc, LeadOrder::LeadId] {
        for owner in [of("member1"), anybody()] {
            account.list(owner).with(|request| request.order = order.into()).ok().await;
        }
        let filter = pb::LeadFilter { stages: vec!["Stage 1".to_owned()], ..Default::default() };
        account
            .list(anybody())
            .with(|request| (request.order, request.filter) = (order.into(), Some(filter)))
            .ok()
            .await;
    }
    let counted: i64 = account.counts().ok().await.counts.iter().map(|count| count.total).sum();
    assert_eq!(counted, shape.leads as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_account_is_said_to_take_is_what_the_process_takes() {
    let small = Shape { members: 200, leads: 10_000, notes: 0 };
    let large = Shape { leads: 150_000, ..small };
    let collector = Collector::default();
    let (mut world, accounts) = with_accounts(one_replica(), &collector, &[small, small, large]).await;
    for account in &accounts[..2] {
        ask_everything(account, small).await;
    }
    let before = Memory::now(&world, &collector).await;
    ask_everything(&accounts[2], large).await;
    let after = Memory::now(&world, &collector).await;
    let (taken, said) = (after.taken - before.taken, after.said - before.said);
    println!("{taken} bytes taken, {said} accounted for: {:.1} % of them", 100.0 * said as f64 / taken as f64);
    assert!(said.abs_diff(taken) * 10 <= taken, "{taken} bytes are taken, {said} accounted for");
    world.verify_of(&accounts[..1]).await;
}

/// An account and who owns what in it, if that is not as it was filled in.
struct Known {
    account: Account,
    shape: Shape,
    assigned: BTreeMap<usize, String>,
}

impl Known {
    /// Reads and writes at the same time, and reads what was written.
    async fn use_it(&mut self, round: usize) {
        let (change, owner) = (round * 7, format!("member{}", round + 1));
        let lead = lead_id(change);
        let ((), counted, written) = tokio::join!(
            self.check(Some(change)),
            self.account.counts().into_future(),
            self.account.assign(&lead, &owner).into_future()
        );
        let counted: i64 = counted.unwrap().counts.iter().map(|count| count.total).sum();
        assert_eq!(counted, self.shape.leads as i64);
        assert!(written.unwrap().revision > 2);
        self.assigned.insert(change, owner);
        self.check(None).await;
    }

    /// Checks some owners, but for one who is changing.
    async fn check(&self, but: Option<usize>) {
        let leads: Vec<_> = (0..50).filter(|lead| Some(*lead) != but).collect();
        let owners = self.account.owners(leads.iter().map(|lead| lead_id(*lead))).ok().await.ownerships;
        let found: BTreeMap<_, _> = owners.into_iter().map(|found| (found.lead_id, found.owner_id)).collect();
        for lead in leads {
            let expected = self.assigned.get(&lead).cloned().unwrap_or_else(|| self.shape.owner(lead));
            assert_eq!(found[&lead_id(lead)].as_ref(), Some(&expected), "{lead} of {}", self.account.id);
        }
    }
}

/// What is promised: accounts that nobody uses take no more than the budget. Those in use stay whatever they take, and room is made
/// once one is loaded, since nobody knows before how large it is: callers at work may have an account each on top of the budget.
/// Between the rounds nobody is at work. Then the process keeps the budget at most, and a tenth more, which is how true the
/// accounting is: what an account took that was dropped is not only forgotten, but given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_accounts_than_fit_take_turns_and_the_budget_holds() {
    const BUDGET: u64 = 24 * 1024 * 1024;
    const ACCOUNTS: usize = 42;
    const CALLERS: usize = 3;
    const ROUNDS: usize = 4;
    let shape = Shape { members: 20, leads: 3_000, notes: 350 };
    let collector = Collector::default();
    let setup = one_replica().set("memory.budget_bytes", BUDGET);
    let (mut world, accounts) = with_accounts(setup, &collector, &[shape; ACCOUNTS]).await;
    let known = |account: &Account| Known { account: account.clone(), shape, assigned: BTreeMap::new() };
    let mut callers: Vec<Vec<Known>> =
        (0..CALLERS).map(|caller| accounts.iter().skip(caller).step_by(CALLERS).map(known).collect()).collect();
    // Each caller's first account brings in whatever the process takes beside accounts.
    futures::future::join_all(callers.iter_mut().map(|accounts| accounts[0].use_it(0))).await;
    let Memory { taken, said } = Memory::now(&world, &collector).await;
    let (beside, all) = (taken - said, said / CALLERS as u64 * ACCOUNTS as u64);
    assert!(all > BUDGET * 5 / 2, "{all} bytes are not several times the budget");
    for round in 1..ROUNDS {
        let turns = callers.iter_mut().map(async |accounts| {
            for account in accounts {
                account.use_it(round).await;
            }
        });
        futures::future::join_all(turns).await;
        let Memory { taken, said } = Memory::now(&world, &collector).await;
        let kept = taken - beside;
        println!("round {round}: {kept} bytes kept, {said} accounted for");
        assert!(said <= BUDGET, "{said} bytes are accounted for");
        assert!(kept * 10 <= BUDGET * 11, "{kept} bytes are kept, {said} accounted for");
    }
    let evicted = collector.reading("ownership.book.evictions").await;
    assert!(evicted >= 2 * ACCOUNTS as u64, "{evicted} accounts made room");
    world.verify_of(&accounts[..1]).await;
}
