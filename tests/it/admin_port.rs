//! What a platform asks of the admin port.

use std::time::{Duration, Instant};

use crate::support::proxy::{Mode, Proxy};
use crate::support::*;

/// What the admin port says about being ready, which it does at once, whatever the database does.
async fn ready(world: &World) -> (u16, String) {
    let asked = Instant::now();
    let (status, said) = world.replicas[0].ask("/readyz").await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(world.replicas[0].ask("/livez").await.0, 200, "alive, ready or not");
    (status, said.trim().to_owned())
}

/// Whether gRPC's health service says the same.
fn serves(world: &World) -> bool {
    run(&["healthcheck", "--server", world.url(0)], &[]).status.success()
}

#[tokio::test]
async fn a_service_that_answers_calls_is_live_and_ready() {
    check(async |world| {
        assert_eq!(ready(world).await, (200, "ok".to_owned()));
        let (status, said) = world.replicas[0].ask("/").await;
        assert!(status == 404 && said.contains("/readyz"), "{status} {said}");
    })
    .await;
}

#[tokio::test]
async fn a_service_without_a_database_is_live_and_not_ready() {
    let nowhere = "postgres://u:hunter2@127.0.0.1:1/d";
    let world = one_replica().set("database.url", nowhere).set("database.migrate_on_start", false).start();
    assert_eq!(ready(&world).await, (503, "the database does not answer".to_owned()));
    let (_, config) = world.replicas[0].ask("/config").await;
    assert!(config.contains("postgres://127.0.0.1:1/d") && !config.contains("hunter2"), "{config}");
}

#[tokio::test]
async fn a_service_whose_schema_is_old_says_what_to_do() {
    let world = one_replica().set("database.migrate_on_start", false).start_over(Database::empty());
    let (status, said) = ready(&world).await;
    assert!(status == 503 && said.contains("ownership migrate"), "{status} {said}");
    let pending = Scraped::of(&world.replicas[0].ask("/metrics").await.1);
    assert!(pending.reading("ownership_store_migrations_pending", &[]) > 0.0, "{pending:?}");
    assert!(pending.kinds.contains_key("ownership_ready") && pending.reading("ownership_ready", &[]) == 0.0);
}

#[tokio::test]
async fn a_database_that_is_frozen_or_gone_takes_the_service_out_until_it_is_back() {
    if store() == Store::Sqlite {
        // Has no network that could be cut.
        return;
    }
    let database = Database::migrated();
    let proxy = Proxy::before(&database.url());
    let mut world = one_replica().set("database.url", proxy.url()).start_over(database);
    for mode in [Mode::Freeze, Mode::Down] {
        assert!(serves(&world), "before {mode:?}");
        proxy.set(mode);
        let said =
            eventually("not ready", async || Some(ready(&world).await).filter(|(status, _)| *status == 503)).await;
        assert_eq!(said.1, "the database does not answer");
        assert!(!serves(&world), "{mode:?}");
        proxy.set(Mode::Pass);
        eventually("ready", async || (ready(&world).await.0 == 200).then_some(())).await;
    }
    world.account().leads(["L1"]).await;
    world.verify().await;
}

#[tokio::test]
async fn the_configuration_in_effect_is_shown_without_what_is_secret() {
    one_replica()
        .set("server.drain", "7s")
        .set("events.url", "nats://127.0.0.1:1")
        .set("events.user", "me")
        .set("events.password", "hunter2")
        .check(async |world| {
            let (status, config) = world.replicas[0].ask("/config").await;
            let config: serde_json::Value = serde_json::from_str(&config).unwrap();
            assert_eq!((status, &config["server"]["drain"]), (200, &serde_json::json!("7s")));
            assert_eq!(config["watch"]["per_caller"], 20, "defaults, too");
            assert_eq!(config["events"]["password"], "...");
            assert!(!world.replicas[0].log().contains("hunter2"));
        })
        .await;
}

#[tokio::test]
async fn the_admin_port_can_be_turned_off() {
    one_replica()
        .set("admin.enabled", false)
        .check(async |world| assert!(!world.replicas[0].log().contains("admin port")))
        .await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_key_that_moves_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut world = one_replica().start();
    world.set("admin.listen", &address);
    world.replicas[0].kill();
    let log = world.start_another().err().expect("it does not start");
    assert!(log.contains(&address) && log.contains("admin.listen"), "{log}");
}

#[tokio::test]
async fn the_doctor_holds_a_running_service_against_what_production_needs() {
    check(async |world| {
        let admin = format!("http://{}", world.replicas[0].admin());
        let output = run(&["doctor", "--admin", &admin, "--production", "--output", "json"], &[]);
        assert!(output.status.success(), "{output:?}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let verdict = |check: &str| {
            let found = report["checks"].as_array().unwrap().iter().find(|found| found["check"] == check);
            found.unwrap_or_else(|| panic!("no {check} in {report}"))["verdict"].as_str().unwrap().to_owned()
        };
        assert_eq!((verdict("ready"), verdict("configuration")), ("ok".to_owned(), "ok".to_owned()));
        assert_eq!(
            (verdict("server.drain_delay"), verdict("telemetry.log_format")),
            ("warn".to_owned(), "warn".to_owned())
        );
        let on_sqlite = store() == Store::Sqlite;
        assert_eq!(verdict("database.url"), if on_sqlite { "warn" } else { "ok" });
    })
    .await;
    let nobody = run(&["doctor", "--admin", "http://127.0.0.1:1"], &[]);
    assert!(!nobody.status.success(), "{nobody:?}");
}
