//! Every instrument of the service, once: its name, its unit, and what a reading means.
//!
//! Instruments are process-wide, because what they count is: one exporter sends the sum of all that happens in the process, and
//! a second set under the same names would be merged with the first one anyway. Handing them through every constructor would
//! add an argument to each without making anything testable that is not.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, global};

/// The instruments. With nothing to export to they cost next to nothing.
#[derive(Debug)]
pub struct Metrics {
    call_duration: Histogram<f64>,
    door_batch: Histogram<u64>,
    door_wait: Histogram<f64>,
    door_splits: Counter<u64>,
    commits: Counter<u64>,
    books_resident: Gauge<u64>,
    books_memory: Gauge<u64>,
    book_load_duration: Histogram<f64>,
    book_evictions: Counter<u64>,
    read_index_wait: Histogram<f64>,
    watchers: UpDownCounter<i64>,
    store_retries: Counter<u64>,
    trimmed_rows: Counter<u64>,
    events: Counter<u64>,
    event_append: Histogram<f64>,
    event_failures: Counter<u64>,
    events_lost: Counter<u64>,
    broker_connected: Gauge<u64>,
    outbox_accounts: Gauge<u64>,
    outbox_age: Gauge<f64>,
}

/// From half a millisecond to the cap of a call's deadline, in seconds.
const LATENCIES: [f64; 15] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
const BATCH_SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The instruments of this process.
///
/// They report to the meter provider that is in place when this is called first, so telemetry starts before anything else.
pub fn get() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| Metrics::new(&global::meter("ownership")))
}

impl Metrics {
    /// Creates them.
    pub fn new(meter: &Meter) -> Self {
        let counter = |name, unit, meaning| meter.u64_counter(name).with_unit(unit).with_description(meaning).build();
        let gauge = |name, unit, meaning| meter.u64_gauge(name).with_unit(unit).with_description(meaning).build();
        let latency = |name, meaning| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(meaning);
            histogram.with_boundaries(LATENCIES.to_vec()).build()
        };
        let door_batch = meter.u64_histogram("ownership.door.batch.size").with_unit("{request}");
        let watchers = meter.i64_up_down_counter("ownership.watch.active").with_unit("{watch}");
        let outbox_age = meter.f64_gauge("ownership.outbox.age").with_unit("s");
        Self {
            call_duration: latency("rpc.server.call.duration", "Duration of inbound calls, streams to their end"),
            door_batch: door_batch
                .with_description("Write requests that were committed together")
                .with_boundaries(BATCH_SIZES.to_vec())
                .build(),
            door_wait: latency("ownership.door.wait", "Time a write request waited before its batch began"),
            door_splits: counter(
                "ownership.door.batches.split",
                "{batch}",
                "Batches that failed for a defect and whose requests were carried out one by one",
            ),
            commits: counter("ownership.commits", "{commit}", "Revisions made, by kind of action"),
            books_resident: gauge("ownership.books.resident", "{book}", "Accounts held in memory"),
            books_memory: gauge("ownership.books.memory", "By", "Memory held for accounts, as accounted to the budget"),
            book_load_duration: latency("ownership.book.load.duration", "Time to load an account from the database"),
            book_evictions: counter("ownership.book.evictions", "{book}", "Accounts dropped from memory"),
            read_index_wait: latency("ownership.read_index.wait", "Time a strict read waited to be fresh"),
            watchers: watchers.with_description("Watches that are open").build(),
            store_retries: counter("ownership.store.retries", "{transaction}", "Transactions tried again, by name"),
            trimmed_rows: counter("ownership.trimmed.rows", "{row}", "Rows removed for their age, by table"),
            events: counter("ownership.events.published", "{event}", "Events that the broker has acknowledged"),
            event_append: latency("ownership.events.append.duration", "Time the broker took to acknowledge an event"),
            event_failures: counter(
                "ownership.events.failures",
                "{failure}",
                "Attempts to publish that failed, by kind",
            ),
            events_lost: counter(
                "ownership.events.lost",
                "{account}",
                "Accounts published again after a loss, by what happened",
            ),
            broker_connected: gauge("ownership.events.connected", "{connection}", "Whether events can be published"),
            outbox_accounts: gauge("ownership.outbox.accounts", "{account}", "Accounts with changes to be published"),
            outbox_age: outbox_age.with_description("Age of the oldest change to be published").build(),
        }
    }

    /// A call ended, or the body of its answer did. `method` is one of the contract's, or `_OTHER`; `code` a gRPC status name.
    pub fn call_ended(&self, method: &'static str, code: &'static str, took: Duration) {
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", code),
        ];
        self.call_duration.record(took.as_secs_f64(), &attributes);
    }

    /// A door committed, or refused, this many requests in one go.
    pub fn door_batched(&self, requests: usize) {
        self.door_batch.record(requests as u64, &[]);
    }

    /// A request waited this long for its batch to begin.
    pub fn door_waited(&self, wait: Duration) {
        self.door_wait.record(wait.as_secs_f64(), &[]);
    }

    /// A batch failed for a defect, and its requests are carried out one by one.
    pub fn door_split(&self) {
        self.door_splits.add(1, &[]);
    }

    /// A revision was made by an action of this kind: `assign`, `register` and so on.
    pub fn committed(&self, action: &'static str) {
        self.commits.add(1, &[KeyValue::new("action", action)]);
    }

    /// So many accounts are in memory, and take so many bytes of it.
    pub fn books(&self, resident: usize, bytes: usize) {
        self.books_resident.record(resident as u64, &[]);
        self.books_memory.record(bytes as u64, &[]);
    }

    /// An account was loaded.
    pub fn book_loaded(&self, took: Duration) {
        self.book_load_duration.record(took.as_secs_f64(), &[]);
    }

    /// An account was dropped from memory.
    pub fn book_evicted(&self) {
        self.book_evictions.add(1, &[]);
    }

    /// A strict read waited this long.
    pub fn read_index_waited(&self, wait: Duration) {
        self.read_index_wait.record(wait.as_secs_f64(), &[]);
    }

    /// A watch began.
    pub fn watch_opened(&self) {
        self.watchers.add(1, &[]);
    }

    /// A watch ended.
    pub fn watch_closed(&self) {
        self.watchers.add(-1, &[]);
    }

    /// The transaction of this name is tried again.
    pub fn store_retried(&self, transaction: &'static str) {
        self.store_retries.add(1, &[KeyValue::new("transaction", transaction)]);
    }

    /// So many rows of a table were removed for their age.
    pub fn trimmed(&self, table: &'static str, rows: u64) {
        self.trimmed_rows.add(rows, &[KeyValue::new("table", table)]);
    }

    /// The broker has acknowledged an event after so long.
    pub fn published(&self, took: Duration) {
        self.events.add(1, &[]);
        self.event_append.record(took.as_secs_f64(), &[]);
    }

    /// Something of this kind kept changes from being published, for the moment.
    pub fn publish_failed(&self, kind: &'static str) {
        self.event_failures.add(1, &[KeyValue::new("kind", kind)]);
    }

    /// The stream has lost events of so many accounts.
    pub fn events_lost(&self, how: &'static str, accounts: u64) {
        self.events_lost.add(accounts, &[KeyValue::new("how", how)]);
    }

    /// Whether there is a broker to publish to.
    pub fn broker_connected(&self, connected: bool) {
        self.broker_connected.record(u64::from(connected), &[]);
    }

    /// So many accounts have changes to be published, the oldest of which waits for so long.
    pub fn outbox(&self, accounts: u64, age: Duration) {
        self.outbox_accounts.record(accounts, &[]);
        self.outbox_age.record(age.as_secs_f64(), &[]);
    }
}
