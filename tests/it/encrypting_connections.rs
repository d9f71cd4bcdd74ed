//! Connections are encrypted with papers that can be replaced at any time, and programs are known by those that they show.

use std::error::Error;
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tonic::transport::ClientTlsConfig;

use crate::support::authority::{Authority, BOARD, SETUP, closed, encrypted};
use crate::support::issuer::{Issuer, KeyFile, claims, replace};
use crate::support::*;

/// An account, called over other connections.
fn over(world: &World, account: &Account, tls: ClientTlsConfig) -> Account {
    Account::new(&account.id, Way { tls: Some(tls), ..world.way.clone() }.to(world.url(0)))
}

/// The call has failed on its way: no server has answered.
fn unreachable(answer: Result<impl std::fmt::Debug, tonic::Status>) {
    let status = answer.expect_err("no connection");
    assert!(status.details().is_empty() && status.source().is_some(), "{status:?}");
}

#[tokio::test]
async fn connections_are_encrypted_or_not_made() {
    let (authority, stranger, directory) = (Authority::default(), Authority::default(), TempDir::new().unwrap());
    encrypted(&authority, directory.path())
        .check(async |world| {
            let account = world.account();
            account.leads(["L1"]).await;
            assert!(world.url(0).starts_with("https://"));
            let plain = world.url(0).replace("https://", "http://");
            unreachable(Account::new(&account.id, Way::default().to(&plain)).owner("L1").await);
            unreachable(over(world, &account, stranger.trusted()).owner("L1").await);
        })
        .await;
}

#[tokio::test]
async fn who_does_not_begin_to_encrypt_is_let_go() {
    let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
    encrypted(&authority, directory.path())
        .check(async |world| {
            let mut idle = TcpStream::connect(world.url(0).trim_start_matches("https://")).unwrap();
            idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let began = Instant::now();
            let left = tokio::task::spawn_blocking(move || idle.read(&mut [0; 1]).map_err(|error| error.kind()));
            world.account().leads(["L1"]).await;
            assert_eq!(left.await.unwrap(), Ok(0), "it is closed");
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        })
        .await;
}

#[tokio::test]
async fn only_http2_is_spoken() {
    let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
    encrypted(&authority, directory.path())
        .check(async |world| {
            let address = world.url(0).trim_start_matches("https://").to_owned();
            for (protocols, agree) in [(&["h2"][..], true), (&["http/1.1"], false), (&[], false)] {
                assert_eq!(authority.agrees(&address, protocols).await, agree, "{protocols:?}");
            }
        })
        .await;
}

#[tokio::test]
async fn programs_are_let_in_by_the_names_in_their_papers() {
    let (authority, stranger, directory) = (Authority::default(), Authority::default(), TempDir::new().unwrap());
    closed(&authority, directory.path())
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            account.assign("L1", "anna").acting_for("anna").ok().await;
            let changes = account.timeline("L1").ok().await.changes;
            let actors: Vec<_> = changes.into_iter().filter_map(|change| change.actor).collect();
            assert!(actors.iter().all(|actor| actor.caller_id == BOARD), "{actors:?}");
            assert!(actors.iter().any(|actor| actor.member_id.as_deref() == Some("anna")), "{actors:?}");
            let as_program = |papers| over(world, &account, authority.trusted().identity(papers));
            unreachable(over(world, &account, authority.trusted()).settings().await);
            unreachable(as_program(stranger.program(BOARD).identity()).settings().await);
            unreachable(
                as_program(authority.program_until(BOARD, time::Duration::hours(-1)).identity()).settings().await,
            );
            let unknown = as_program(authority.program("spiffe://crm.example/ns/prod/sa/other").identity());
            let refused = unknown.settings().refused().await.is("CALLER_UNKNOWN");
            refused.says("caller_id", "spiffe://crm.example/ns/prod/sa/other");
            let admin = as_program(authority.program(SETUP).identity());
            admin.set_settings(Default::default()).ok().await;
            admin.assign("L1", "anna").acting_for("anna").refused().await.is("MEMBER_NOT_ALLOWED");
            account.set_settings(Default::default()).refused().await.is("METHOD_NOT_ALLOWED").says("role", "service");
            let bearer = Way { token: Some("a.b.c".to_owned()), ..world.way.clone() };
            let with_token = Account::new(&account.id, bearer.to(world.url(0)));
            with_token.settings().refused().await.is("TOKEN_INVALID").says("problem", "not_accepted");
        })
        .await;
}

#[tokio::test]
async fn a_program_is_let_in_for_as_long_as_its_papers_are_good() {
    let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
    closed(&authority, directory.path())
        .check(async |world| {
            let account = world.account();
            account.leads(["L1"]).await;
            let short = authority.program_until(BOARD, time::Duration::seconds(3));
            let program = over(world, &account, authority.trusted().identity(short.identity()));
            let mut watching = program.watch().earliest().every(1).open().await;
            watching.until(1).await;
            let ending = tokio::time::timeout(Duration::from_secs(20), watching.end());
            let (position, refusal) = ending.await.expect("it ends");
            assert_eq!((refusal.is("IDENTITY_EXPIRED").number("revision"), position), (1, 1));
            // The connection is still there.
            program.settings().refused().await.is("IDENTITY_EXPIRED");
        })
        .await;
}

#[tokio::test]
async fn papers_are_replaced_without_a_restart_and_without_a_cut() {
    let (old, new, directory) = (Authority::default(), Authority::default(), TempDir::new().unwrap());
    closed(&old, directory.path())
        .check(async |world| {
            let account = world.account();
            let mut watching = account.watch().earliest().open().await;
            let as_board = |server: &Authority, program: &Authority| {
                over(world, &account, server.trusted().identity(program.program(BOARD).identity()))
            };
            // A key that does not belong to the certificate yet, and then rubbish: the old ones go on.
            replace(&directory.path().join("server.key"), new.server().key);
            let complained = async || world.replicas[0].log().contains("cannot be renewed").then_some(());
            eventually("the log complains", complained).await;
            as_board(&old, &old).leads(["L1"]).await;
            replace(&directory.path().join("server.pem"), "rubbish");
            eventually("the log complains again", async || {
                world.replicas[0].log().contains("holds no certificates").then_some(())
            })
            .await;
            as_board(&old, &old).leads(["L2"]).await;
            new.server().put(directory.path(), "server");
            eventually("new connections are encrypted with the new ones", async || {
                as_board(&new, &old).settings().await.is_ok().then_some(())
            })
            .await;
            unreachable(as_board(&old, &old).settings().await);
            replace(&directory.path().join("ca.pem"), new.pem());
            eventually("programs show papers of the new authority", async || {
                as_board(&new, &new).settings().await.is_ok().then_some(())
            })
            .await;
            unreachable(as_board(&new, &old).settings().await);
            // What was connected before still is.
            account.leads(["L3"]).await;
            assert_eq!(watching.until(3).await.len(), 3);
            world.way.tls = Some(new.trusted().identity(new.program(BOARD).identity()));
        })
        .await;
}

/// What is measured of certificates now.
async fn measured(world: &World, name: &str, labels: &[&str]) -> f64 {
    Scraped::of(&world.replicas[0].ask("/metrics").await.1).reading(name, labels)
}

#[tokio::test]
async fn papers_that_do_not_fit_are_counted_for_as_long_as_they_are_there_and_told_of_once() {
    let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
    encrypted(&authority, directory.path())
        .check(async |world| {
            let key = directory.path().join("server.key");
            let fitting = std::fs::read(&key).unwrap();
            replace(&key, authority.server().key);
            eventually("it is counted at each look", async || {
                let failed = ["what=\"certificate\"", "outcome=\"failed\""];
                (measured(world, "ownership_identity_renewals_total", &failed).await >= 3.0).then_some(())
            })
            .await;
            assert_eq!(world.replicas[0].log().matches("cannot be renewed").count(), 1);
            replace(&key, fitting);
            let well = async || world.replicas[0].log().contains("can be read again").then_some(());
            eventually("it is well again", well).await;
            world.account().leads(["L1"]).await;
        })
        .await;
}

#[tokio::test]
async fn it_is_seen_and_told_before_the_certificate_of_the_service_expires_and_when_it_has() {
    const DAY: f64 = 24.0 * 60.0 * 60.0;
    let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
    encrypted(&authority, directory.path())
        .check(async |world| {
            let left =
                async |world: &World| measured(world, "ownership_identity_certificate_expires_seconds", &[]).await;
            assert!((DAY - 60.0..=DAY + 1.0).contains(&left(world).await), "{}", left(world).await);
            assert!(world.replicas[0].log().contains("certificate of the service expires soon"));
            authority.server_until(time::Duration::hours(-1)).put(directory.path(), "server");
            eventually("it has expired", async || (left(world).await < 0.0).then_some(())).await;
            assert!(world.replicas[0].log().contains("certificate of the service has expired"));
            unreachable(over(world, &world.account(), authority.trusted()).settings().await);
            authority.server_until(time::Duration::days(90)).put(directory.path(), "server");
            eventually("it is replaced", async || (left(world).await > 89.0 * DAY).then_some(())).await;
            assert_eq!(world.replicas[0].log().matches("expires soon").count(), 1);
            world.account().leads(["L1"]).await;
        })
        .await;
}

#[tokio::test]
async fn where_tokens_are_taken_papers_are_not_needed_and_a_token_counts_for_more() {
    let (authority, stranger, directory) = (Authority::default(), Authority::default(), TempDir::new().unwrap());
    let issuer = Issuer::new("one");
    closed(&authority, directory.path())
        .trusting(&KeyFile::of(&[&issuer]), &issuer.service())
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            let member = issuer.token(&claims("member", account.id.as_str()));
            let way = |tls: ClientTlsConfig, token: Option<&str>| {
                let way = Way { tls: Some(tls), token: token.map(str::to_owned) };
                Account::new(&account.id, way.to(world.url(0)))
            };
            let papers = || authority.trusted().identity(authority.program(BOARD).identity());
            way(authority.trusted(), Some(&member)).settings().ok().await;
            way(authority.trusted(), None).settings().refused().await.is("CREDENTIALS_MISSING");
            way(papers(), None).leads(["L1"]).await;
            let between = way(papers(), Some(&member));
            between.register([lead("L2")]).refused().await.is("METHOD_NOT_ALLOWED").says("role", "member");
            way(papers(), Some("a.b.c")).settings().refused().await.is("TOKEN_INVALID");
            // What somebody does with a token would be recorded as done by that program.
            for program in [BOARD, SETUP] {
                let posing = with(claims("service", account.id.as_str()), |claims| claims["sub"] = program.into());
                let refused = way(authority.trusted(), Some(&issuer.token(&posing))).settings().refused().await;
                refused.is("TOKEN_INVALID").says("problem", "claims");
            }
            let foreign = authority.trusted().identity(stranger.program(BOARD).identity());
            unreachable(way(foreign, Some(&member)).settings().await);
        })
        .await;
}

#[tokio::test]
async fn commands_call_over_encrypted_connections_with_papers() {
    let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
    let [certificate, key] = authority.program(BOARD).put(directory.path(), "board");
    closed(&authority, directory.path())
        .check(async |world| {
            let ca = directory.path().join("ca.pem");
            let [ca, certificate, key] = [&ca, &certificate, &key].map(|path| path.to_str().unwrap());
            let server = world.url(0).replace("127.0.0.1", "localhost");
            let papers = ["--client-certificate-file", certificate, "--client-key-file", key];
            let trust = ["--server", server.as_str(), "--ca-file", ca];
            for command in [&["list", "--any", "--account", "acme"][..], &["healthcheck"]] {
                let called = run(&[command, &trust, &papers].concat(), &[]);
                assert!(called.status.success(), "{called:?}");
                let bare = run(&[command, &trust].concat(), &[]);
                assert!(!bare.status.success(), "{bare:?}");
                let distrustful = run(&[command, &trust[..2], &papers].concat(), &[]);
                assert!(!distrustful.status.success(), "{distrustful:?}");
            }
            let database = world.database.url();
            let examined = run(
                &[&["doctor"][..], &trust].concat(),
                &[
                    ("OWNERSHIP__DATABASE__URL", &database),
                    ("OWNERSHIP_CLIENT_CERTIFICATE_FILE", certificate),
                    ("OWNERSHIP_CLIENT_KEY_FILE", key),
                ],
            );
            assert!(String::from_utf8_lossy(&examined.stdout).contains("SERVING"), "{examined:?}");
        })
        .await;
}

#[tokio::test]
async fn a_command_may_reach_the_service_by_another_name_than_that_in_its_certificate() {
    const NAME: &str = "ownership.crm.svc";
    let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
    let setup = encrypted(&authority, directory.path()).called_over(authority.trusted().domain_name(NAME));
    authority.server_named(NAME).put(directory.path(), "server");
    let ca = directory.path().join("ca.pem");
    replace(&ca, authority.pem());
    setup
        .check(async |world| {
            let command = ["healthcheck", "--server", world.url(0), "--ca-file", ca.to_str().unwrap()];
            for (named, agrees) in
                [(Some(NAME), true), (Some("ownership.crm.svc:50051"), true), (Some("crm"), false), (None, false)]
            {
                let named: Vec<_> = named.map(|name| ("OWNERSHIP_AUTHORITY", name)).into_iter().collect();
                let called = run(&command, &named);
                assert_eq!(called.status.success(), agrees, "{named:?}: {called:?}");
            }
            let no_name = run(&[&command[..], &["--authority", "https://crm"]].concat(), &[]);
            assert_eq!(no_name.status.code(), Some(2), "{no_name:?}");
        })
        .await;
}

/// What the doctor says about something: whether it is well, and how it was found.
fn diagnosis(world: &World, check: &str) -> (String, String) {
    let output = world.run(&["doctor", "--output", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = report["checks"].as_array().unwrap().iter().find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} in {report}"));
    let said = |what: &str| found[what].as_str().unwrap().to_owned();
    assert!(said("verdict") != "fail" || !output.status.success(), "{report}");
    (said("verdict"), said("found"))
}

#[tokio::test]
async fn the_doctor_reads_certificates_and_keys_as_the_service_does() {
    let (authority, directory, issuer) = (Authority::default(), TempDir::new().unwrap(), Issuer::new("one"));
    let keys = KeyFile::of(&[&issuer]);
    let setup = closed(&authority, directory.path()).trusting(&keys, &issuer.service());
    setup
        .check(async |world| {
            assert_eq!(diagnosis(world, "keys"), ("ok".to_owned(), "1 to check tokens with".to_owned()));
            let (verdict, found) = diagnosis(world, "certificate");
            assert!(verdict == "warn" && found.starts_with("good for "), "of those of a day: {verdict} {found}");
            keys.say("{}");
            let (verdict, found) = diagnosis(world, "keys");
            assert!(verdict == "fail" && found.contains("not a JSON Web Key Set"), "{verdict} {found}");
            keys.publish(&[&issuer]);
            replace(&directory.path().join("server.key"), authority.server().key);
            let (verdict, found) = diagnosis(world, "certificate");
            assert!(verdict == "fail" && found.contains("server.pem and its key"), "of another key: {verdict} {found}");
            std::fs::remove_file(directory.path().join("server.key")).unwrap();
            let (verdict, found) = diagnosis(world, "certificate");
            assert!(verdict == "fail" && found.contains("server.key cannot be read"), "{verdict} {found}");
        })
        .await;
}
