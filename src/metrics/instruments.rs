//! The instruments, by what they are about: name, unit, by what readings are told apart, and what one means.

use opentelemetry::metrics::{Counter, Gauge, Histogram, UpDownCounter};

use super::catalogue::Maker;

/// Calls, and whether they can be answered.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) duration: Histogram<f64>,
    pub(super) active: UpDownCounter<i64>,
    pub(super) ready: Gauge<u64>,
}

impl Calls {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            duration: make.latency(
                "rpc.server.call.duration",
                &["rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type"],
                "Duration of calls, streams to their end, with the code that they really ended with",
            ),
            active: make.level(
                "ownership.calls.active",
                "{call}",
                &["rpc.method"],
                "Calls that are under way, streams included",
            ),
            ready: make.gauge("ownership.ready", "{replica}", &[], "1 if calls can be answered, otherwise 0"),
        }
    }
}

/// What writes.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) batch: Histogram<u64>,
    pub(super) wait: Histogram<f64>,
    pub(super) splits: Counter<u64>,
    pub(super) lock_wait: Histogram<f64>,
    pub(super) writes: Counter<u64>,
    pub(super) changes: Counter<u64>,
    pub(super) intents: Counter<u64>,
}

impl Door {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            batch: make.size("ownership.door.batch.size", "{request}", "Write requests that were committed together"),
            wait: make.latency("ownership.door.wait", &[], "Time a write request waited before its batch began"),
            splits: make.counter(
                "ownership.door.batches.split",
                "{batch}",
                &[],
                "Batches that failed for a defect and whose requests were carried out one by one",
            ),
            lock_wait: make.latency(
                "ownership.head.lock.wait",
                &[],
                "Time until the heads of a transaction's accounts were locked, or found to be taken",
            ),
            writes: make.counter("ownership.writes", "{request}", &["action"], "Write requests that succeeded"),
            changes: make.counter(
                "ownership.changes",
                "{change}",
                &["source", "kind"],
                "Changes of owners: through which door they came, and what they did",
            ),
            intents: make.counter(
                "ownership.intents",
                "{intent}",
                &[],
                "Members whom others are to tell of the leads that a request gave them",
            ),
        }
    }
}

/// The accounts in memory.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) resident: Gauge<u64>,
    pub(super) memory: Gauge<u64>,
    pub(super) memory_limit: Gauge<u64>,
    pub(super) load_duration: Histogram<f64>,
    pub(super) evictions: Counter<u64>,
    pub(super) refusals: Counter<u64>,
    pub(super) losses: Counter<u64>,
    pub(super) read_index_wait: Histogram<f64>,
}

impl Books {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            resident: make.gauge("ownership.books.resident", "{book}", &[], "Accounts held in memory"),
            memory: make.gauge(
                "ownership.books.memory",
                "By",
                &[],
                "Memory held for accounts, as accounted to the budget",
            ),
            memory_limit: make.gauge(
                "ownership.books.memory.limit",
                "By",
                &[],
                "The budget: memory that there may be for accounts",
            ),
            load_duration: make.latency(
                "ownership.book.load.duration",
                &[],
                "Time to load an account from the database",
            ),
            evictions: make.counter("ownership.book.evictions", "{book}", &[], "Accounts dropped from memory"),
            refusals: make.counter(
                "ownership.book.refusals",
                "{refusal}",
                &[],
                "Uses of an account that alone is larger than the budget",
            ),
            losses: make.counter(
                "ownership.book.losses",
                "{book}",
                &[],
                "Accounts in memory of which the database has lost the last changes",
            ),
            read_index_wait: make.latency("ownership.read_index.wait", &[], "Time a strict read waited to be fresh"),
        }
    }
}

/// Who watches.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) active: UpDownCounter<i64>,
    pub(super) lag: Histogram<f64>,
}

impl Watch {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            active: make.level("ownership.watch.active", "{watch}", &[], "Watches that are open"),
            lag: make.latency(
                "ownership.watch.lag",
                &[],
                "Time a change that this replica knew of waited until a watch took it up",
            ),
        }
    }
}

/// The database.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) connections: Gauge<u64>,
    pub(super) connections_max: Gauge<u64>,
    pub(super) pending: Gauge<u64>,
    pub(super) retries: Counter<u64>,
    pub(super) trimmed: Counter<u64>,
}

impl Store {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            connections: make.gauge(
                "ownership.store.connections",
                "{connection}",
                &["state"],
                "Connections to the database: used, or idle",
            ),
            connections_max: make.gauge(
                "ownership.store.connections.max",
                "{connection}",
                &[],
                "Connections there may be",
            ),
            pending: make.gauge(
                "ownership.store.migrations.pending",
                "{migration}",
                &[],
                "Changes of the schema that this version needs and the database lacks",
            ),
            retries: make.counter(
                "ownership.store.retries",
                "{transaction}",
                &["transaction"],
                "Transactions tried again",
            ),
            trimmed: make.counter("ownership.trimmed.rows", "{row}", &["table"], "Rows removed for their age"),
        }
    }
}

/// What is published.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) published: Counter<u64>,
    pub(super) append: Histogram<f64>,
    pub(super) failures: Counter<u64>,
    pub(super) lost: Counter<u64>,
    pub(super) connected: Gauge<u64>,
    pub(super) outbox: Gauge<u64>,
    pub(super) outbox_age: Gauge<f64>,
    pub(super) wakes: Counter<u64>,
}

impl Events {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            published: make.counter(
                "ownership.events.published",
                "{event}",
                &[],
                "Events that the broker has acknowledged",
            ),
            append: make.latency(
                "ownership.events.append.duration",
                &[],
                "Time the broker took to acknowledge an event",
            ),
            failures: make.counter(
                "ownership.events.failures",
                "{failure}",
                &["kind"],
                "Attempts to publish that failed",
            ),
            lost: make.counter(
                "ownership.events.lost",
                "{account}",
                &["how"],
                "Accounts published again after the stream had lost something",
            ),
            connected: make.gauge(
                "ownership.events.connected",
                "{connection}",
                &[],
                "1 if events can be published, otherwise 0",
            ),
            outbox: make.gauge("ownership.outbox.accounts", "{account}", &[], "Accounts with changes to be published"),
            outbox_age: make.span("ownership.outbox.age", "Age of the oldest change to be published"),
            wakes: make.counter(
                "ownership.wakes",
                "{wake}",
                &["what"],
                "Messages between replicas about what changed, and accounts looked at because of them",
            ),
        }
    }
}

/// The leads that nobody owns.
#[derive(Debug)]
pub(super) struct Unassigned {
    pub(super) leads: Gauge<u64>,
    pub(super) age: Gauge<f64>,
    pub(super) overdue: Counter<u64>,
    pub(super) late: Gauge<f64>,
}

impl Unassigned {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            leads: make.gauge(
                "ownership.unassigned.leads",
                "{lead}",
                &[],
                "Open leads without an owner, of the accounts that this replica holds in memory",
            ),
            age: make
                .span("ownership.unassigned.age", "For how long the one of them that waits longest has had no owner"),
            overdue: make.counter(
                "ownership.unassigned.overdue",
                "{lead}",
                &[],
                "Leads that nobody has owned for too long, as told to others",
            ),
            late: make.span(
                "ownership.unassigned.late",
                "For how long an account should have been looked at for overdue leads",
            ),
        }
    }
}

/// Who calls.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) refusals: Counter<u64>,
    pub(super) renewals: Counter<u64>,
    pub(super) certificate_expires: Gauge<f64>,
}

impl Identity {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            refusals: make.counter(
                "ownership.identity.refusals",
                "{call}",
                &["reason"],
                "Calls of somebody who may not make them",
            ),
            renewals: make.counter(
                "ownership.identity.renewals",
                "{renewal}",
                &["what", "outcome"],
                "Certificates and keys that were replaced, or could not be",
            ),
            certificate_expires: make.span(
                "ownership.identity.certificate.expires",
                "For how long the certificate of the service is still good; below zero once it has expired",
            ),
        }
    }
}
