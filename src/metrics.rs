//! Every instrument of the service, once: its name, its unit, and what a reading means.
//!
//! Instruments are process-wide, because what they count is: one exporter sends the sum of all that happens in the process, and
//! a second set under the same names would be merged with the first one anyway. Handing them through every constructor would
//! add an argument to each without making anything testable that is not.

mod catalogue;
mod instruments;

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::{MeterProvider, NoopMeterProvider};
use opentelemetry::{KeyValue, global};

pub use catalogue::{Entry, Kind};

use catalogue::Maker;
use instruments::{Books, Calls, Door, Events, Identity, Store, Unassigned, Watch};

/// The instruments.
#[derive(Debug)]
pub struct Metrics {
    calls: Calls,
    door: Door,
    books: Books,
    watch: Watch,
    store: Store,
    events: Events,
    identity: Identity,
    unassigned: Unassigned,
}

/// The instruments of this process.
///
/// They report to the meter provider that is in place when this is called first, so telemetry starts before anything else.
pub fn get() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| Metrics::new(&mut Maker::new(&global::meter("ownership"))))
}

/// All metrics there are.
pub fn all() -> Vec<Entry> {
    let meter = NoopMeterProvider::new().meter("ownership");
    let mut make = Maker::new(&meter);
    Metrics::new(&mut make);
    make.made()
}

impl Metrics {
    fn new(make: &mut Maker<'_>) -> Self {
        Self {
            calls: Calls::new(make),
            door: Door::new(make),
            books: Books::new(make),
            watch: Watch::new(make),
            store: Store::new(make),
            events: Events::new(make),
            identity: Identity::new(make),
            unassigned: Unassigned::new(make),
        }
    }

    /// A call of a method began. `method` is one of the contract's, or `_OTHER`.
    pub fn call_began(&self, method: &'static str) {
        self.calls.active.add(1, &[KeyValue::new("rpc.method", method)]);
    }

    /// A call ended, or the body of its answer did. `code` is the name of a gRPC status, which is an error of the service or not.
    pub fn call_ended(&self, method: &'static str, code: &'static str, failed: bool, took: Duration) {
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", code),
            KeyValue::new("error.type", code),
        ];
        self.calls.duration.record(took.as_secs_f64(), if failed { &attributes } else { &attributes[..3] });
        self.calls.active.add(-1, &attributes[1..2]);
    }

    /// Whether calls can be answered.
    pub fn ready(&self, ready: bool) {
        self.calls.ready.record(u64::from(ready), &[]);
    }

    /// A call was refused because of who makes it. `reason` is one of the contract's.
    pub fn call_refused(&self, reason: &'static str) {
        self.identity.refusals.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// A `certificate` or the `keys` were `replaced`, or that `failed`.
    pub fn renewed(&self, what: &'static str, outcome: &'static str) {
        self.identity.renewals.add(1, &[KeyValue::new("what", what), KeyValue::new("outcome", outcome)]);
    }

    /// The certificate of the service is good for so many seconds, or has not been for as many.
    pub fn certificate_expires(&self, seconds: i64) {
        self.identity.certificate_expires.record(seconds as f64, &[]);
    }

    /// A door committed, or refused, this many requests in one go.
    pub fn door_batched(&self, requests: usize) {
        self.door.batch.record(requests as u64, &[]);
    }

    /// A request waited this long for its batch to begin.
    pub fn door_waited(&self, wait: Duration) {
        self.door.wait.record(wait.as_secs_f64(), &[]);
    }

    /// A batch failed for a defect, and its requests are carried out one by one.
    pub fn door_split(&self) {
        self.door.splits.add(1, &[]);
    }

    /// A batch waited this long for a connection and the lock of its account.
    pub fn head_locked(&self, wait: Duration) {
        self.door.lock_wait.record(wait.as_secs_f64(), &[]);
    }

    /// A write request with an action of this kind, `assign`, `register` and so on, succeeded.
    pub fn written(&self, action: &'static str) {
        self.door.writes.add(1, &[KeyValue::new("action", action)]);
    }

    /// So many owners were changed in this way by something that came through this door.
    pub fn changed(&self, source: &'static str, kind: &'static str, changes: u64) {
        self.door.changes.add(changes, &[KeyValue::new("source", source), KeyValue::new("kind", kind)]);
    }

    /// So many members are to be told of the leads that a request gave them.
    pub fn intended(&self, members: usize) {
        self.door.intents.add(members as u64, &[]);
    }

    /// So many accounts are in memory, and take so many bytes of it, of as many as they may.
    pub fn books(&self, resident: usize, bytes: usize, limit: usize) {
        self.books.resident.record(resident as u64, &[]);
        self.books.memory.record(bytes as u64, &[]);
        self.books.memory_limit.record(limit as u64, &[]);
    }

    /// An account was loaded.
    pub fn book_loaded(&self, took: Duration) {
        self.books.load_duration.record(took.as_secs_f64(), &[]);
    }

    /// An account was dropped from memory.
    pub fn book_evicted(&self) {
        self.books.evictions.add(1, &[]);
    }

    /// An account alone is larger than the budget.
    pub fn book_refused(&self) {
        self.books.refusals.add(1, &[]);
    }

    /// An account was found to have lost what was read of it.
    pub fn book_lost(&self) {
        self.books.losses.add(1, &[]);
    }

    /// A strict read waited this long.
    pub fn read_index_waited(&self, wait: Duration) {
        self.books.read_index_wait.record(wait.as_secs_f64(), &[]);
    }

    /// So many leads of the accounts in memory have no owner, one of them for so long.
    pub fn unassigned(&self, leads: usize, age: Duration) {
        self.unassigned.leads.record(leads as u64, &[]);
        self.unassigned.age.record(age.as_secs_f64(), &[]);
    }

    /// A watch began.
    pub fn watch_opened(&self) {
        self.watch.active.add(1, &[]);
    }

    /// A watch ended.
    pub fn watch_closed(&self) {
        self.watch.active.add(-1, &[]);
    }

    /// A watch took up a change that had waited for so long.
    pub fn watch_lagged(&self, lag: Duration) {
        self.watch.lag.record(lag.as_secs_f64(), &[]);
    }

    /// So many connections to the database are used and so many idle, of as many as there may be.
    pub fn connections(&self, used: u32, idle: u32, max: u32) {
        self.store.connections.record(u64::from(used), &[KeyValue::new("state", "used")]);
        self.store.connections.record(u64::from(idle), &[KeyValue::new("state", "idle")]);
        self.store.connections_max.record(u64::from(max), &[]);
    }

    /// So many changes of the schema are missing.
    pub fn pending_migrations(&self, pending: usize) {
        self.store.pending.record(pending as u64, &[]);
    }

    /// The transaction of this name is tried again.
    pub fn store_retried(&self, transaction: &'static str) {
        self.store.retries.add(1, &[KeyValue::new("transaction", transaction)]);
    }

    /// So many rows of a table were removed for their age.
    pub fn trimmed(&self, table: &'static str, rows: u64) {
        self.store.trimmed.add(rows, &[KeyValue::new("table", table)]);
    }

    /// The broker has acknowledged an event after so long.
    pub fn published(&self, took: Duration) {
        self.events.published.add(1, &[]);
        self.events.append.record(took.as_secs_f64(), &[]);
    }

    /// Something of this kind kept changes from being published, for the moment.
    pub fn publish_failed(&self, kind: &'static str) {
        self.events.failures.add(1, &[KeyValue::new("kind", kind)]);
    }

    /// The stream has lost events of so many accounts.
    pub fn events_lost(&self, how: &'static str, accounts: u64) {
        self.events.lost.add(accounts, &[KeyValue::new("how", how)]);
    }

    /// Whether there is a broker to publish to.
    pub fn broker_connected(&self, connected: bool) {
        self.events.connected.record(u64::from(connected), &[]);
    }

    /// So many accounts have changes to be published, the oldest of which waits for so long.
    pub fn outbox(&self, accounts: u64, age: Duration) {
        self.events.outbox.record(accounts, &[]);
        self.events.outbox_age.record(age.as_secs_f64(), &[]);
    }

    /// Others are told of so many leads that nobody has owned for too long.
    pub fn unassigned_told(&self, leads: usize) {
        self.unassigned.overdue.add(leads as u64, &[]);
    }

    /// For how long some account should have been looked at for such leads, if any should.
    pub fn unassigned_late(&self, late: Option<Duration>) {
        self.unassigned.late.record(late.unwrap_or_default().as_secs_f64(), &[]);
    }

    /// Messages that tell other replicas what changed were `sent` or `received`, or had accounts looked at (`heeded`).
    pub fn wakes(&self, what: &'static str, count: u64) {
        self.events.wakes.add(count, &[KeyValue::new("what", what)]);
    }
}
