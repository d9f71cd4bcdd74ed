//! What the user of a consumer may do at the broker: what the manual says is enough, and no more than that is needed. And how the
//! examples say which user they are.

use std::sync::Arc;

use async_nats::{ConnectOptions, HeaderMap};
use ownership_client::{ConsumerOptions, Fault, Parked, Parking as _, ParkingStream};
use parking_lot::Mutex;

use crate::support::consumer::{Scene, options};
use crate::support::follower::{Follower, Kind};
use crate::support::identity::{Certificates, Operator};
use crate::support::nats::{JETSTREAM, Nats, permissions, with_user};
use crate::support::sources::text;
use crate::support::stream::{STREAM, complete};
use crate::support::*;

const PAGE: &str = "docs/consuming-events.md";
const CREATE: &str = "$JS.API.CONSUMER.CREATE.LEADFLIP_OWNERSHIP_V1.my-service";

fn my_service() -> ConsumerOptions {
    ConsumerOptions { name: "my-service".to_owned(), ..options() }
}

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna"]).await;
    account.leads(["L1"]).await;
    account
}

/// What the manual permits, with more that it tells of.
fn permitted_with(more: &[&str]) -> String {
    let manual = text(PAGE);
    let all = more.iter().map(|subject| {
        assert!(manual.contains(&format!("`{subject}`")), "{subject}");
        format!("\n    {subject:?}")
    });
    permissions(PAGE).replace("publish: [", &format!("publish: [{}", all.collect::<String>()))
}

/// A broker whose user `consumer` may do just this.
fn broker(permissions: &str) -> Nats {
    let anybody = || ConnectOptions::with_user_and_password("anybody".to_owned(), "s3cret".to_owned());
    Nats::start_configured(&with_user("consumer", permissions)).observed_with(anybody)
}

/// A service that publishes to it, in the name of `anybody`.
fn publishing(scene: &Scene) -> Setup {
    scene.setup().set("events.user", "anybody").set("events.password", "s3cret")
}

/// A connection of the user `consumer`, and what the broker has complained of to it.
async fn observed(nats: &Nats) -> (async_nats::Client, Arc<Mutex<Vec<String>>>) {
    let complaints = Arc::<Mutex<Vec<String>>>::default();
    let heard = Arc::clone(&complaints);
    let options = ConnectOptions::with_user_and_password("consumer".to_owned(), "s3cret".to_owned());
    let options = options.event_callback(move |event| {
        if let async_nats::Event::ServerError(error) = event {
            heard.lock().push(error.to_string());
        }
        std::future::ready(())
    });
    (options.connect(nats.url()).await.unwrap(), complaints)
}

#[tokio::test]
async fn the_permissions_in_the_manual_are_enough_for_a_consumer() {
    let scene = Scene::over(broker(&permissions(PAGE)));
    publishing(&scene)
        .check(async |world| {
            let account = team(world).await;
            let (broker, complaints) = observed(&scene.nats).await;
            let running = scene.consume_over(broker, world, my_service()).await;
            scene.table.has_all_of(world, &account).await;
            // To be parked, and then taken up again, needs a word that is waited for.
            scene.publish(&account, HeaderMap::new(), Vec::new()).await;
            eventually("it is parked", async || (scene.parked().len() == 1).then_some(())).await;
            scene.nats.jetstream().await.delete_stream(STREAM).await.unwrap();
            account.assign("L1", "anna").ok().await;
            scene.table.has_all_of(world, &account).await;
            assert_eq!(running.stop().await.parked, 1);
            assert_eq!(*complaints.lock(), [""; 0]);
        })
        .await;
}

#[tokio::test]
async fn without_any_of_them_nothing_is_consumed() {
    let all = permissions(PAGE);
    for subject in all.split('"').skip(1).step_by(2) {
        let scene = Scene::over(broker(&all.replace(subject, "nowhere")));
        publishing(&scene)
            .check(async |world| {
                let account = team(world).await;
                complete(world, &scene.nats).await;
                let (broker, complaints) = observed(&scene.nats).await;
                let running = scene.consume_over(broker, world, my_service()).await;
                let named = subject.trim_end_matches('>');
                let told = async || complaints.lock().iter().any(|told| told.contains(named)).then_some(());
                eventually(named, told).await;
                assert!(scene.table.kept(&account).is_none() || named.starts_with("$JS.ACK."));
                running.stop().await;
            })
            .await;
    }
}

#[tokio::test]
async fn who_may_follow_one_account_hears_of_no_other() {
    let own = format!("{CREATE}.leadflip.ownership.v1.changes.acme");
    let instead = permitted_with(&[&own]).replace(&format!("{CREATE:?}"), "");
    let scene = Scene::over(broker(&instead));
    publishing(&scene)
        .check(async |world| {
            let (acme, other) = (world.account_named("acme"), team(world).await);
            acme.members(["anna"]).await;
            acme.leads(["L1"]).await;
            complete(world, &scene.nats).await;
            for accounts in [vec![], vec![other.id.clone()], vec![acme.id.clone(), other.id.clone()]] {
                let (broker, complaints) = observed(&scene.nats).await;
                let running = scene.consume_over(broker, world, ConsumerOptions { accounts, ..my_service() }).await;
                eventually("it is not let in", async || (!complaints.lock().is_empty()).then_some(())).await;
                running.stop().await;
            }
            let (broker, _) = observed(&scene.nats).await;
            let accounts = vec![acme.id.clone()];
            let running = scene.consume_over(broker, world, ConsumerOptions { accounts, ..my_service() }).await;
            scene.table.has_all_of(world, &acme).await;
            assert!(scene.table.kept(&other).is_none());
            running.stop().await;
        })
        .await;
}

#[tokio::test]
async fn with_what_the_manual_says_events_are_parked_in_a_stream() {
    let more = ["$JS.API.STREAM.INFO.PARKED", "$JS.API.STREAM.CREATE.PARKED", "PARKED.my-service"];
    let nats = broker(&permitted_with(&more));
    let context = async_nats::jetstream::new(observed(&nats).await.0);
    let parking = ParkingStream { context, stream: "PARKED".to_owned() };
    let parked = Parked {
        consumer: "my-service".to_owned(),
        fault: Fault::UnknownType("odd".to_owned()),
        subject: "leadflip.ownership.v1.changes.acme".to_owned(),
        sequence: 7,
        headers: HeaderMap::new(),
        data: b"data".to_vec(),
    };
    for _ in 0..2 {
        parking.park(&parked).await.unwrap();
    }
}

#[tokio::test]
async fn with_what_the_manual_says_a_consumer_in_python_consumes() {
    let more = ["$JS.API.CONSUMER.INFO.LEADFLIP_OWNERSHIP_V1.my-service"];
    let all = format!("{CREATE}.leadflip.ownership.v1.changes.*");
    let permitted = permitted_with(&more).replace(&format!("{CREATE:?}"), &format!("{all:?}"));
    let scene = Scene::over(broker(&permitted.replace("my-service", "owners")));
    publishing(&scene)
        .check(async |world| {
            let account = team(world).await;
            let follower = Follower::start(Kind::Python, world.url(0), &scene.nats.url_of("consumer"));
            follower.has_all_of(world, &account).await;
            account.assign("L1", "anna").ok().await;
            follower.has_all_of(world, &account).await;
        })
        .await;
}

#[tokio::test]
async fn an_example_logs_in_with_credentials_and_certificates() {
    let (certificates, operator) = (Certificates::new(), Operator::new());
    let file = |name: &str| certificates.file(name).display().to_string();
    let (ca, certificate, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let credentials = operator.credentials_file().display().to_string();
    let trust = certificates.configuration(true);
    let scene = Scene::over(Nats::start_configured(&format!("{JETSTREAM}\n{}\n{trust}", operator.configuration())));
    let url = scene.nats.url().replace("nats://", "tls://");
    let publishing = scene.setup().set("events.url", &url).set("events.ca_file", &ca);
    let publishing = publishing.set("events.client_certificate_file", &certificate).set("events.client_key_file", &key);
    publishing
        .set("events.credentials_file", &credentials)
        .check(async |world| {
            let account = team(world).await;
            let certified =
                ["--nats-ca-file", &ca, "--nats-client-certificate-file", &certificate, "--nats-client-key-file", &key];
            let login = [&certified[..], &["--nats-credentials-file", &credentials]].concat();
            let follower = Follower::start_as(Kind::Campaign, world.url(0), &url, &login);
            follower.has_all_of(world, &account).await;
        })
        .await;
}

#[tokio::test]
async fn an_example_that_is_not_let_in_says_so_and_logs_in_with_the_right_password() {
    let scene = Scene::over(broker(&permissions(PAGE).replace("my-service", "campaign")));
    publishing(&scene)
        .check(async |world| {
            let account = team(world).await;
            let password = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(password.path(), "guessed\n").unwrap();
            let file = password.path().display().to_string();
            let login = ["--nats-user", "consumer", "--nats-password-file", &file];
            let mut follower = Follower::start_as(Kind::Campaign, world.url(0), &scene.nats.url(), &login);
            let refused = async || follower.log().contains("authorization violation").then_some(());
            eventually("it says that it is not let in", refused).await;
            follower.kill();
            std::fs::write(password.path(), "s3cret\n").unwrap();
            follower.restart();
            follower.has_all_of(world, &account).await;
            assert!(!follower.log().contains("s3cret"));
        })
        .await;
}
