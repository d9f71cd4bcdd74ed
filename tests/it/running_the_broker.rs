//! The broker as those run it who look after it: encrypted, with users and permissions, as a cluster; and what is told of one that
//! is not fit.

use async_nats::ConnectOptions;
use serde_json::Value;

use crate::support::identity::{Certificates, Operator};
use crate::support::nats::{Cluster, JETSTREAM, Nats, permissions, with_user};
use crate::support::stream::{STREAM, complete};
use crate::support::*;

/// One replica that publishes to this address.
fn publishing_to(url: &str) -> Setup {
    one_replica().set("events.url", url).set("events.poll_interval", "100ms").set("events.ack_timeout", "2s")
}

/// The same, in the name of a user.
fn publishing_as_service(nats: &Nats) -> Setup {
    publishing_to(&nats.url()).set("events.user", "service").set("events.password", "s3cret")
}

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1"]).await;
    account
}

async fn pass_around(account: &Account, times: usize) {
    for round in 0..times {
        account.assign("L1", ["anna", "ben"][round % 2]).ok().await;
    }
}

/// What the doctor says of something, with the verdict in front.
fn diagnosis(world: &World, check: &str) -> String {
    let output = world.run(&["doctor", "--output", "json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let checks = found["checks"].as_array().unwrap();
    let of = checks.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("{check} in {found:#}"));
    ["verdict", "found", "advice"].map(|field| of[field].as_str().unwrap()).join(": ")
}

/// Runs a test of a broker that is not fit: the log and a metric say so, everything else is served, and what waits is published
/// once `cure` has made the broker fit.
async fn is_told(setup: Setup, nats: &mut Nats, (kind, told): (&str, &str), cure: impl AsyncFnOnce(&World, &mut Nats)) {
    let collector = Collector::default();
    let setup = setup.set("telemetry.otlp_endpoint", collector.start()).set("OTEL_METRIC_EXPORT_INTERVAL", 200);
    let mut world = setup.start();
    let account = team(&world).await;
    let log = || world.replicas[0].log();
    eventually(told, async || log().contains(told).then_some(())).await;
    collector.counts("ownership.events.failures", kind).await;
    let healthy = run(&["healthcheck", "--server", world.url(0)], &[]);
    assert!(healthy.status.success(), "{healthy:?}");
    let mut watching = account.watch().open().await;
    let revision = account.assign("L1", "anna").ok().await.revision;
    watching.until(revision).await;
    assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
    cure(&world, nats).await;
    complete(&world, nats).await;
    assert!(!log().contains("s3cret"), "no secret in the log");
    world.verify().await;
}

/// The permissions that the manual asks for, without what names something.
fn permissions_without(what: &str) -> String {
    let block = permissions("docs/broker.md");
    assert!(what.is_empty() || block.contains(what), "{what} is none of them");
    block.lines().filter(|line| what.is_empty() || !line.contains(what)).collect::<Vec<_>>().join("\n")
}

/// A broker whose user `service` may do just this. Who does not say who he is may do everything.
fn with_permissions(permissions: &str) -> String {
    format!("no_auth_user: anybody\n{}", with_user("service", permissions))
}

#[tokio::test]
async fn the_permissions_in_the_manual_are_enough() {
    let nats = Nats::start_configured(&with_permissions(&permissions_without("")));
    publishing_as_service(&nats)
        .check(async |world| {
            let account = team(world).await;
            pass_around(&account, 3).await;
            complete(world, &nats).await;
            for check in ["broker", "broker version", "stream", "stream, reading", "stream, publishing", "wake-ups"] {
                assert!(diagnosis(world, check).starts_with("ok: "), "{}", diagnosis(world, check));
            }
            assert!(!world.replicas[0].log().contains("WARN"), "{}", world.replicas[0].log());
        })
        .await;
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_and_what_waits_is_published_once_it_is_there() {
    for (missing, check) in [
        ("leadflip.ownership.v1.changes.*", "stream, publishing"),
        ("$JS.API.STREAM.MSG.GET.LEADFLIP_OWNERSHIP_V1", "stream, reading"),
        ("$JS.API.STREAM.INFO.LEADFLIP_OWNERSHIP_V1", "stream"),
        ("_INBOX.>", "stream"),
    ] {
        let mut nats = Nats::start_configured(&with_permissions(&permissions_without(missing)));
        let named = missing.trim_end_matches(['*', '>']);
        let told = "the user of the service lacks a permission: ";
        is_told(publishing_as_service(&nats), &mut nats, ("forbidden", told), async |world, nats| {
            let log = world.replicas[0].log();
            assert!(log.lines().any(|line| line.contains(told) && line.contains(named)), "{missing}: {log}");
            let diagnosis = diagnosis(world, check);
            assert!(diagnosis.starts_with("fail: ") && diagnosis.contains(named), "{missing}: {diagnosis}");
            nats.configure(&with_permissions(&permissions_without("")));
            nats.restart();
        })
        .await;
    }
}

#[tokio::test]
async fn without_the_permission_to_create_the_stream_somebody_else_can() {
    let mut nats = Nats::start_configured(&with_permissions(&permissions_without("STREAM.CREATE")));
    let told = ("forbidden", "$JS.API.STREAM.CREATE.LEADFLIP_OWNERSHIP_V1");
    is_told(publishing_as_service(&nats), &mut nats, told, async |world, nats| {
        assert!(diagnosis(world, "stream").contains("is not there yet"));
        let config = async_nats::jetstream::stream::Config {
            name: STREAM.to_owned(),
            subjects: vec!["leadflip.ownership.v1.changes.*".to_owned()],
            max_age: std::time::Duration::from_secs(14 * 86_400),
            ..Default::default()
        };
        nats.jetstream().await.create_stream(config).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn without_the_permission_to_wake_others_everything_is_published_and_the_doctor_says_what_is_missing() {
    let nats = Nats::start_configured(&with_permissions(&permissions_without("leadflip.ownership.v1.wake")));
    publishing_as_service(&nats)
        .check(async |world| {
            let account = team(world).await;
            pass_around(&account, 3).await;
            complete(world, &nats).await;
            let diagnosis = diagnosis(world, "wake-ups");
            assert!(diagnosis.starts_with("warn: ") && diagnosis.contains("leadflip.ownership.v1.wake"), "{diagnosis}");
        })
        .await;
}

#[tokio::test]
async fn a_broker_without_jetstream_is_named_and_what_waits_is_published_once_there_is_one() {
    let mut nats = Nats::start_configured("");
    let told = ("no_jetstream", "the broker has no JetStream for this service");
    is_told(publishing_to(&nats.url()), &mut nats, told, async |world, nats| {
        let diagnosis = diagnosis(world, "stream");
        assert!(diagnosis.starts_with("fail: ") && diagnosis.contains("turn JetStream on"), "{diagnosis}");
        nats.configure(JETSTREAM);
        nats.restart();
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_does_not_take_our_largest_messages_is_named_before_the_first_of_them_comes() {
    let with = |limit: &str| format!("{JETSTREAM}\nmax_payload: {limit}");
    let mut nats = Nats::start_configured(&with("64KB"));
    let told = ("different", "max_payload is 65536 and must be at least 524288");
    is_told(publishing_to(&nats.url()), &mut nats, told, async |_, nats| {
        nats.configure(&with("1MB"));
        nats.restart();
    })
    .await;
}

#[tokio::test]
async fn an_account_without_jetstream_is_named_too() {
    let accounts = |with: &str| {
        format!("{JETSTREAM}\naccounts {{ A {{ {with} users: [{{ user: service, password: s3cret }}] }} }}")
    };
    let nats = Nats::start_configured(&accounts(""));
    let service = || ConnectOptions::with_user_and_password("service".to_owned(), "s3cret".to_owned());
    let mut nats = nats.observed_with(service);
    let told = ("no_jetstream", "the broker has no JetStream for this service");
    is_told(publishing_as_service(&nats), &mut nats, told, async |_, nats| {
        nats.configure(&accounts("jetstream: enabled,"));
        nats.restart();
    })
    .await;
}

#[tokio::test]
async fn the_doctor_names_a_broker_that_is_away_and_a_stream_that_differs() {
    let mut nats = Nats::start();
    let setup = publishing_to(&nats.url());
    setup
        .check(async |world| {
            let account = team(world).await;
            pass_around(&account, 1).await;
            complete(world, &nats).await;
            world.set("events.stream_max_age", "1h");
            let different = diagnosis(world, "stream");
            assert!(
                different.starts_with("fail: ") && different.contains("max_age is 1209600s and must be 3600s"),
                "{different}"
            );
            nats.kill();
            let away = diagnosis(world, "broker");
            assert!(away.starts_with("fail: ") && away.contains("check events.url"), "{away}");
            nats.restart();
        })
        .await;
}

fn with_certificates(setup: Setup, certificates: &Certificates) -> Setup {
    let file = |name: &str| certificates.file(name).display().to_string();
    setup
        .set("events.ca_file", file("ca.pem"))
        .set("events.client_certificate_file", file("client.pem"))
        .set("events.client_key_file", file("client.key"))
}

/// A broker that shows a certificate, and one that also asks for one.
fn encrypted(certificates: &Certificates, verify: bool) -> String {
    format!("{JETSTREAM}\n{}", certificates.configuration(verify))
}

/// Starts a broker with these certificates, and says where it is.
fn start_encrypted(certificates: &Certificates) -> (Nats, String) {
    let file = |name: &str| certificates.file(name);
    let (ca, certificate, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let nats = Nats::start_configured(&encrypted(certificates, true)).observed_with(move || {
        let options = ConnectOptions::new().add_root_certificates(ca.clone());
        options.add_client_certificate(certificate.clone(), key.clone())
    });
    let url = nats.url().replace("nats://", "tls://");
    (nats, url)
}

#[tokio::test]
async fn a_broker_is_reached_over_tls_with_certificates_on_both_sides() {
    let certificates = Certificates::new();
    let (nats, url) = start_encrypted(&certificates);
    with_certificates(publishing_to(&url), &certificates)
        .check(async |world| {
            pass_around(&team(world).await, 3).await;
            complete(world, &nats).await;
            assert!(diagnosis(world, "stream, publishing").starts_with("ok: "));
        })
        .await;
}

#[tokio::test]
async fn a_broker_that_another_authority_vouches_for_is_not_spoken_to_until_the_right_files_are_there() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let (mut nats, url) = start_encrypted(&certificates);
    let told = ("unreachable", "invalid peer certificate");
    is_told(with_certificates(publishing_to(&url), &others), &mut nats, told, async |world, _| {
        assert!(diagnosis(world, "broker").contains("invalid peer certificate"));
        others.replace_by(&certificates);
    })
    .await;
}

#[tokio::test]
async fn without_a_certificate_of_its_own_the_service_is_not_let_in() {
    let certificates = Certificates::new();
    let (mut nats, url) = start_encrypted(&certificates);
    let setup = publishing_to(&url).set("events.ca_file", certificates.file("ca.pem").display());
    is_told(setup, &mut nats, ("unreachable", "the broker cannot be reached"), async |world, nats| {
        assert!(diagnosis(world, "broker").starts_with("fail: "));
        nats.configure(&encrypted(&certificates, false));
        nats.restart();
    })
    .await;
}

#[tokio::test]
async fn a_credentials_file_lets_the_service_in_and_may_be_replaced_while_it_runs() {
    let (operator, stranger) = (Operator::new(), Operator::new());
    let nats = Nats::start_configured(&format!("{JETSTREAM}\n{}", operator.configuration()));
    let credentials = std::fs::read_to_string(operator.credentials_file()).unwrap();
    let mut nats = nats.observed_with(move || ConnectOptions::with_credentials(&credentials).unwrap());
    let setup = publishing_to(&nats.url()).set("events.credentials_file", stranger.credentials_file().display());
    is_told(setup, &mut nats, ("unreachable", "authorization violation"), async |world, _| {
        assert!(diagnosis(world, "broker").contains("authorization violation"));
        std::fs::copy(operator.credentials_file(), stranger.credentials_file()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_cluster_of_three_may_lose_any_of_its_servers() {
    let mut cluster = Cluster::start(3).await;
    let setup = two_replicas().set("events.url", cluster.url()).set("events.stream_replicas", 3);
    setup
        .set("events.poll_interval", "100ms")
        .set("events.ack_timeout", "2s")
        .check(async |world| {
            let account = team(world).await;
            complete(world, &cluster.0[0]).await;
            for _ in 0..2 {
                let leader = cluster.leader(STREAM, 0).await;
                let witness = (leader + 1) % 3;
                cluster.0[leader].kill();
                pass_around(&account.through(world, 1), 10).await;
                complete(world, &cluster.0[witness]).await;
                cluster.0[leader].restart();
                pass_around(&account, 10).await;
                complete(world, &cluster.0[leader]).await;
            }
        })
        .await;
}
