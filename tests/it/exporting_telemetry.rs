//! What a collector sees, and what Prometheus does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use ownership::metrics::{self, Kind};
use pb::NewLead;
use pb::lead_service_client::LeadServiceClient;
use pb::ownership_service_client::OwnershipServiceClient;

use crate::support::issuer::{Issuer, KeyFile, claims};
use crate::support::nats::Nats;
use crate::support::raw::{frame, post, post_form};
use crate::support::stream::read;
use crate::support::*;

#[tokio::test]
async fn a_collector_sees_each_call_down_to_its_statements_and_counts_it_by_method_and_code() {
    let collector = Collector::default();
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            account.assign("L1", "anna").reason("s3cret").ok().await;
            account.assign("nosuch", "anna").refused().await.is("LEAD_NOT_FOUND");
            world.replicas[0].terminate();
            let status = world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            assert!(status.success());
            world.restart(0);
        })
        .await;
    let spans = collector.spans();
    let method = "leadflip.ownership.v1.OwnershipService/Assign";
    let call = spans.iter().find(|span| span.name == method).expect("a span of the call");
    let within = |name: &str| spans.iter().any(|span| span.name == name && span.trace_id == call.trace_id);
    for statement in ["door", "begin", "write", "commit"] {
        assert!(within(statement), "{statement} in {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    }
    assert!(!format!("{spans:?}").contains("s3cret"), "what people write is not exported");
    let calls = collector.calls();
    let counted = |code: &str| calls.get(&(method.to_owned(), code.to_owned())).copied();
    assert_eq!((counted("OK"), counted("NOT_FOUND")), (Some(1), Some(1)), "{calls:?}");
}

#[tokio::test]
async fn every_call_is_counted_once_with_the_code_that_it_really_ended_with() {
    let (collector, issuer) = (Collector::default(), Issuer::new("one"));
    let keys = KeyFile::of(&[&issuer]);
    let setup = one_replica().trusting(&keys, &issuer.service()).set("telemetry.otlp_endpoint", collector.start());
    let forbidden = format!("Bearer {}", issuer.token(&claims("member", "acme")));
    setup
        .check(async |world| {
            let (account, url) = (world.account(), world.url(0).to_owned());
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            let active = async |method: &str| {
                Scraped::of(&world.replicas[0].ask("/metrics").await.1).reading("ownership_calls_active", &[method])
            };
            drop(account.watch().open().await);
            let held = world.sql().await.hold_head(&account.id).await;
            let waits = tokio::spawn(account.assign("L1", "anna").into_future());
            eventually("a write waits", async || (active("Assign\"").await == 1.0).then_some(())).await;
            waits.abort();
            eventually("all have gone", async || (active("").await == 0.0).then_some(())).await;
            drop(held);
            for (service, method, token) in [
                ("OwnershipService", "GetOwner", ""),
                ("LeadService", "RegisterLeads", &*forbidden),
                ("OwnershipService", "Nothing", &*forbidden),
            ] {
                let headers = [("authorization", token)];
                let path = format!("/leadflip.ownership.v1.{service}/{method}");
                post(&url, &path, if token.is_empty() { &[] } else { &headers }, frame(&[])).await;
            }
            // None of these is a call of the contract.
            assert!(run(&["healthcheck", "--server", &url], &[]).status.success());
            post(&url, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[], frame(&[])).await;
            assert_eq!(post_form(&url, "/leadflip.ownership.v1.OwnershipService/Assign").await.as_u16(), 415);
            let drained = account.watch().open().await;
            world.replicas[0].terminate();
            drained.end().await.1.is("DRAINING");
            world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            let calls: Vec<_> = collector.calls().into_iter().collect();
            let calls: Vec<_> =
                calls.iter().map(|((of, code), n)| (of.rsplit('/').next().unwrap(), &**code, *n)).collect();
            assert_eq!(
                calls,
                [
                    ("_OTHER", "UNIMPLEMENTED", 1),
                    ("RegisterLeads", "OK", 1),
                    ("RegisterLeads", "PERMISSION_DENIED", 1),
                    ("UpsertMembers", "OK", 1),
                    ("Assign", "CANCELLED", 1),
                    ("GetOwner", "UNAUTHENTICATED", 1),
                    ("WatchOwnerChanges", "CANCELLED", 1),
                    ("WatchOwnerChanges", "UNAVAILABLE", 1),
                ]
            );
            world.restart(0);
        })
        .await;
    let told =
        [format!("{:?}", collector.spans()), format!("{:?}", collector.metrics()), format!("{:?}", collector.lines())];
    for (what, text) in ["the spans", "the metrics", "the lines"].into_iter().zip(&told) {
        assert!(text.len() > 2, "{what} are exported");
        // How every token begins.
        says_nothing_of(&["eyJ", "Bearer"], what, text);
    }
}

/// Texts that people wrote, secrets, and ids of accounts, members and leads.
const PRIVATE: [&str; 7] = ["s3cret", "hunter2", "anna", "Anna", "example.com", "acme-account", "lead-of-acme"];

/// Fails if a text says what nobody is to learn from it.
#[track_caller]
fn says_nothing_of(private: &[&str], what: &str, text: &str) {
    for word in private {
        let place = text.find(word);
        assert!(place.is_none(), "{word} in {what}: {:?}", place.map(|place| &text[place.saturating_sub(200)..place]));
    }
}

/// Lets the service do most of what it measures.
async fn exercise(world: &World) {
    let account = world.account_named("acme-account");
    account.members(["anna"]).await;
    let known = [("note".to_owned(), "s3cret".to_owned())].into();
    account.register([NewLead { stage: "s3cret".to_owned(), attributes: known, ..lead("lead-of-acme") }]).ok().await;
    account.leads(["lead-of-acme-2"]).await;
    let mut watch = account.watch().earliest().open().await;
    let assign = account.assign("lead-of-acme", "anna").reason("s3cret");
    assign.with(|request| request.notify_new_owner = Some(true)).ok().await;
    account.bulk([to("lead-of-acme-2", "anna")]).ok().await;
    account.unassign("lead-of-acme-2").ok().await;
    account.owner("lead-of-acme").ok().await;
    account.assign("nosuch", "anna").refused().await.is("LEAD_NOT_FOUND");
    account.list(of("anna")).ok().await;
    watch.until(6).await;
}

/// A broker that wants to know who publishes.
fn broker() -> Nats {
    Nats::start_configured(
        "jetstream { store_dir: \"STORE\" }\nauthorization { users: [{ user: me, password: hunter2 }] }\n",
    )
}

fn kind_of(metric: &Metric) -> Kind {
    match &metric.data {
        Some(Data::Gauge(_)) => Kind::Gauge,
        Some(Data::Histogram(_)) => Kind::Histogram,
        Some(Data::Sum(sum)) if sum.is_monotonic => Kind::Counter,
        Some(Data::Sum(_)) => Kind::UpDownCounter,
        other => panic!("{other:?}"),
    }
}

/// What nothing is measured of as long as nothing goes wrong, or for a while.
const SELDOM: [&str; 9] = [
    "ownership.store.retries",
    "ownership.trimmed.rows",
    "ownership.events.failures",
    "ownership.events.lost",
    "ownership.identity.refusals",
    "ownership.identity.renewals",
    // There is no certificate.
    "ownership.identity.certificate.expires",
    // On SQLite there is no other replica.
    "ownership.read_index.wait",
    "ownership.wakes",
];

/// What Prometheus has of every program.
fn has_those_of_the_process(scraped: &Scraped) {
    for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds"].map(|what| format!("process_{what}")) {
        assert!(!cfg!(target_os = "linux") || scraped.kinds.contains_key(&name), "{name}: {:?}", scraped.kinds);
    }
}

#[tokio::test]
async fn a_collector_and_prometheus_see_every_metric_of_the_page_and_nothing_private() {
    let (collector, nats) = (Collector::default(), broker());
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .set("telemetry.log", "info,ownership=debug")
        .set("OTEL_METRIC_EXPORT_INTERVAL", 100)
        .set("events.url", nats.url())
        .set("events.user", "me")
        .set("events.password", "hunter2")
        .check(async |world| {
            exercise(world).await;
            collector.reading("ownership.unassigned.leads").await;
            collector.reading("ownership.events.published").await;
            let all: BTreeMap<_, _> = metrics::all().into_iter().map(|entry| (entry.name, entry)).collect();
            for metric in collector.metrics().iter().filter(|metric| !metric.name.starts_with("otel.")) {
                let entry = all.get(&*metric.name).unwrap_or_else(|| panic!("{metric:?} is not in the list"));
                assert_eq!((entry.kind, entry.unit), (kind_of(metric), &*metric.unit), "{metric:?}");
                assert!(attributes_of(metric).is_subset(&entry.attributes.iter().copied().collect()), "{metric:?}");
            }
            let text = world.replicas[0].ask("/metrics").await.1;
            let scraped = Scraped::of(&text);
            has_those_of_the_process(&scraped);
            let names: BTreeSet<_> = all.values().map(prometheus_name).chain(["target_info".to_owned()]).collect();
            assert!(
                scraped.kinds.keys().all(|name| name.starts_with("process_") || names.contains(name)),
                "{:?} are not all of {names:?}",
                scraped.kinds
            );
            for entry in all.values() {
                let told_apart = scraped.labels.get(&prometheus_name(entry)).cloned().unwrap_or_default();
                let by: BTreeSet<_> = entry.attributes.iter().map(|attribute| attribute.replace('.', "_")).collect();
                assert!(told_apart.is_subset(&by), "{}: {told_apart:?}", entry.name);
            }
            for entry in all.values().filter(|entry| !SELDOM.contains(&entry.name)) {
                assert!(
                    collector.metrics().iter().any(|metric| metric.name == entry.name),
                    "{} is not exported",
                    entry.name
                );
                assert!(scraped.kinds.contains_key(&prometheus_name(entry)), "{} is not scraped: {text}", entry.name);
            }
            assert_eq!(scraped.reading("ownership_changes_total", &["kind=\"assigned\"", "source=\"api\""]), 2.0);
            assert_eq!(scraped.reading("ownership_unassigned_leads", &[]), 1.0);
            assert_eq!(scraped.reading("ownership_intents_total", &[]), 1.0);
            let failed = ["Assign\"", "rpc_response_status_code=\"NOT_FOUND\""];
            assert_eq!(scraped.reading("rpc_server_call_duration_seconds_count", &failed), 1.0);
            says_nothing_of(&PRIVATE, "what is scraped", &text);
            says_nothing_of(&PRIVATE, "the metrics", &format!("{:?}", collector.metrics()));
            says_nothing_of(&["hunter2", "s3cret"], "the configuration", &world.replicas[0].ask("/config").await.1);
            eventually("the log is exported", async || (!collector.lines().is_empty()).then_some(())).await;
            // Those who look into a single call may learn whose it is, and nothing of what it says.
            let private = ["s3cret", "hunter2", "Anna", "example.com"];
            says_nothing_of(&private, "the log", &world.replicas[0].log());
            says_nothing_of(&private, "the lines that are exported", &format!("{:?}", collector.lines()));
            says_nothing_of(&private, "the spans", &format!("{:?}", collector.spans()));
        })
        .await;
}

#[tokio::test]
async fn a_line_of_the_log_names_the_call_it_belongs_to_and_streams_are_counted_while_they_are_open() {
    let collector = Collector::default();
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .set("telemetry.log", "ownership=debug")
        .check(async |world| {
            let account = world.account();
            account.leads(["L1"]).await;
            let watch = account.watch().earliest().open().await;
            let active = async || {
                Scraped::of(&world.replicas[0].ask("/metrics").await.1)
                    .reading("ownership_calls_active", &["WatchOwnerChanges\""])
            };
            assert_eq!(active().await, 1.0);
            drop(watch);
            eventually("the stream has ended", async || (active().await == 0.0).then_some(())).await;
            let of_call = async || {
                let lines = collector.lines();
                let spans = collector.spans();
                let belongs = |line: &LogRecord| spans.iter().any(|span| span.trace_id == line.trace_id);
                lines.iter().any(belongs).then_some(())
            };
            eventually("a line and its span", of_call).await;
        })
        .await;
}

#[tokio::test]
async fn writes_that_share_a_transaction_are_linked_to_the_one_whose_trace_has_it() {
    let collector = Collector::default();
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .set("door.max_batch", 512)
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1", "L2", "L3", "L4"]).await;
            let sql = world.sql().await;
            let held = sql.hold_head(&account.id).await;
            let writes = ["L1", "L2", "L3", "L4"].map(|lead| tokio::spawn(account.assign(lead, "anna").into_future()));
            // All but the first wait for it, and so for each other.
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(held);
            for write in join_all(writes).await {
                write.unwrap().unwrap();
            }
            let linked = async || {
                let spans = collector.spans();
                let doors = || spans.iter().filter(|span| span.name == "door");
                let link = doors().find_map(|span| span.links.first())?;
                let revision = |span: &Span| span.attributes.iter().any(|attribute| attribute.key == "revision");
                doors().find(|span| span.span_id == link.span_id).map(revision)
            };
            assert!(eventually("a link", linked).await, "a write says which revision it made");
        })
        .await;
}

#[tokio::test]
async fn a_call_goes_on_in_the_trace_of_its_caller() {
    let collector = Collector::default();
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .check(async |world| {
            let account = world.account();
            let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            let call = traced(account.register([lead("L1")]).request, context);
            LeadServiceClient::new(account.channel.clone()).register_leads(call).await.unwrap();
            let in_trace = async |name: &str| {
                let of_caller = |span: &Span| hex(&span.trace_id) == context[3..35] && span.name == name;
                eventually(name, async || collector.spans().into_iter().find(of_caller)).await
            };
            let call = in_trace("leadflip.ownership.v1.LeadService/RegisterLeads").await;
            assert_eq!(hex(&call.parent_span_id), context[36..52]);
            assert_eq!(in_trace("door").await.parent_span_id, call.span_id);
            in_trace("commit").await;
        })
        .await;
}

#[tokio::test]
async fn the_trace_of_a_caller_goes_on_into_the_event() {
    let (collector, nats) = (Collector::default(), Nats::start());
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .set("door.max_batch", 512)
        .set("events.url", nats.url())
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1", "L2", "L3"]).await;
            let published = async |revision: i64| {
                eventually("an event", async || {
                    read(&nats).await.into_iter().find(|message| message.event.last_revision >= revision)
                })
                .await
            };
            published(2).await;
            let register = account.register([lead("L4")]).request;
            let call = traced(register, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
            LeadServiceClient::new(account.channel.clone()).register_leads(call).await.unwrap();
            let event = published(3).await;
            let span = async |id: &str| {
                let of_id = |span: &Span| span.name == "publish" && hex(&span.span_id) == id;
                eventually("its span", async || collector.spans().into_iter().find(of_id)).await
            };
            // Version, trace, span, flags.
            let parts: Vec<_> = event.headers["traceparent"].split('-').collect();
            assert_eq!(parts[1], "0af7651916cd43dd8448eb211c80319c", "the caller's trace");
            let publish = span(parts[2]).await;
            let door = collector.spans().into_iter().find(|span| span.span_id == publish.parent_span_id);
            assert_eq!(door.map(|span| span.name).as_deref(), Some("door"));
            // Revisions that are made at once may share a message, which is linked to those who made them.
            let held = world.sql().await.hold_head(&account.id).await;
            let assigns = (1..=4).map(|number| {
                let assign = account.assign(&format!("L{number}"), "anna").request;
                let call = traced(assign, &format!("00-{number:032x}-b7ad6b7169203331-01"));
                let mut client = OwnershipServiceClient::new(account.channel.clone());
                tokio::spawn(async move { client.assign(call).await })
            });
            let assigns: Vec<_> = assigns.collect();
            let active = async || world.replicas[0].counted("ownership_calls_active", "/Assign").await;
            eventually("all wait", async || (active().await == 4.0).then_some(())).await;
            drop(held);
            for assign in assigns {
                assign.await.unwrap().unwrap();
            }
            published(7).await;
            let mut led = BTreeSet::new();
            for message in read(&nats).await.iter().filter(|message| message.event.first_revision > 3) {
                let publish = span(message.headers["traceparent"].split('-').nth(2).unwrap()).await;
                if message.event.first_revision == message.event.last_revision {
                    led.insert(hex(&publish.trace_id));
                } else {
                    led.extend(publish.links.iter().map(|link| hex(&link.trace_id)));
                }
            }
            assert_eq!(led, (1..=4).map(|number| format!("{number:032x}")).collect());
        })
        .await;
}

/// A request of somebody who traces it.
fn traced<T>(request: T, context: &str) -> tonic::Request<T> {
    let mut call = tonic::Request::new(request);
    call.metadata_mut().insert("traceparent", context.parse().unwrap());
    call
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
