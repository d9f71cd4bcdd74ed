//! What those see who run the service.

use std::collections::BTreeSet;
use std::time::Duration;

use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::support::contract::services;
use crate::support::*;

async fn reflect(world: &World) -> Result<ServerReflectionResponse, tonic::Status> {
    let ask = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let mut client = ServerReflectionClient::new(world.channel(0));
    let answers = client.server_reflection_info(tokio_stream::iter([request])).await?;
    Ok(answers.into_inner().message().await?.expect("one answer"))
}

#[tokio::test]
async fn a_server_that_accepts_calls_says_it_is_serving() {
    check(async |world| {
        let mut client = HealthClient::new(world.channel(0));
        let answer = client.check(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
        assert_eq!(answer, HealthCheckResponse { status: ServingStatus::Serving.into() });
        let healthy = run(&["healthcheck", "--server", world.url(0)], &[]);
        assert!(healthy.status.success(), "{healthy:?}");
        let nowhere = run(&["healthcheck", "--server", "http://127.0.0.1:1"], &[]);
        assert!(!nowhere.status.success() && !nowhere.stderr.is_empty(), "{nowhere:?}");
    })
    .await;
}

#[tokio::test]
async fn reflection_lists_every_service() {
    check(async |world| {
        let answer = reflect(world).await.unwrap().message_response;
        let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
        let listed: BTreeSet<_> = list.service.into_iter().map(|service| service.name).collect();
        for service in services() {
            assert!(listed.contains(&format!("leadflip.ownership.v1.{service}")), "{service} in {listed:?}");
        }
        assert!(listed.contains("grpc.health.v1.Health"), "{listed:?}");
    })
    .await;
}

#[tokio::test]
async fn reflection_can_be_turned_off() {
    one_replica()
        .set("server.reflection", false)
        .check(async |world| {
            refusal(reflect(world).await.unwrap_err()).is("METHOD_UNKNOWN");
        })
        .await;
}

#[tokio::test]
async fn a_write_that_is_under_way_is_finished_before_the_server_goes() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.leads(["L1"]).await;
        let sql = world.sql().await;
        let held = sql.hold_head(&account.id).await;
        let write = tokio::spawn(account.assign("L1", "anna").into_future());
        // A read of another account shows that the server has had time for the write before it.
        world.account().settings().ok().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.replicas[0].terminate();
        drop(held);
        match write.await.unwrap() {
            Ok(answer) => assert_eq!(answer.outcome(), Outcome::Assigned),
            Err(status) => drop(refusal(status).is("DRAINING")),
        }
        let status = world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
        assert!(status.success(), "{status:?}");
    })
    .await;
}

#[tokio::test]
async fn a_drain_ends_within_its_budget_whatever_is_open() {
    one_replica()
        .set("server.drain", "2s")
        .check(async |world| {
            let account = world.account();
            account.leads(["L1"]).await;
            let idle = world.channel(0);
            let _unread = account.watch().earliest().open().await;
            let mut told = account.watch().earliest().open().await;
            told.until(1).await;
            world.replicas[0].terminate();
            told.end().await.1.is("DRAINING");
            let status = world.replicas[0].ended(Duration::from_secs(10)).await.expect("it exits");
            assert!(status.success(), "{status:?}");
            drop(idle);
        })
        .await;
}

#[tokio::test]
async fn starts_at_once_over_an_empty_database_all_succeed() {
    let database = Database::empty();
    let url = database.url();
    let environment = [("OWNERSHIP__DATABASE__URL", url.as_str())];
    // SQLite belongs to one process at a time, so there they come one after the other.
    let at_once = if store() == Store::Postgres { 3 } else { 1 };
    for _ in 0..2 {
        let start = || program().arg("migrate").envs(environment).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let migrations: Vec<_> = (0..at_once).map(|_| start()).collect();
        for migration in migrations {
            let output = migration.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let mut world = two_replicas().start_over(database);
    let account = world.account();
    account.leads(["L1"]).await;
    world.verify().await;
}

#[tokio::test]
async fn servers_that_migrate_on_start_may_start_together() {
    let database = Database::empty();
    let url = database.url();
    let others = if store() == Store::Postgres { 2 } else { 0 };
    let migrate = || program().arg("migrate").env("OWNERSHIP__DATABASE__URL", &url).spawn().unwrap();
    let migrations: Vec<_> = (0..others).map(|_| migrate()).collect();
    let world = one_replica().set("database.migrate_on_start", true).start_over(database);
    for mut migration in migrations {
        assert!(migration.wait().unwrap().success());
    }
    world.account().leads(["L1"]).await;
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_named_and_no_secret_is_shown() {
    let listen = ("OWNERSHIP__SERVER__LISTEN", "127.0.0.1:0");
    let cases = [
        (("OWNERSHIP__SERVER__NONSENSE", "1"), "nonsense"),
        (("OWNERSHIP__WATCH__PER_CALLER", "many"), "per_caller"),
        (("OWNERSHIP__DATABASE__URL", "mysql://u:hunter2@h/d"), "database.url"),
    ];
    for (setting, named) in cases {
        let database = Database::empty();
        let url = database.url();
        let output = run(&["serve"], &[("OWNERSHIP__DATABASE__URL", url.as_str()), listen, setting]);
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success(), "{setting:?} is accepted");
        assert!(said.contains(named) && !said.contains("hunter2"), "{setting:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_database_file_that_is_not_there_yet_is_no_mistake_and_the_doctor_creates_none() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("ownership.db");
    let output = run(&["doctor", "--database", &format!("sqlite:{}", file.display())], &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("is not there yet") && !file.exists(), "{said}");
}

#[tokio::test]
async fn the_doctor_names_an_index_that_was_not_completed() {
    check(async |world| {
        if store() == Store::Sqlite {
            return;
        }
        let said = |world: &World| {
            let output = world.run(&["doctor"]).stdout;
            String::from_utf8_lossy(&output).lines().find(|line| line.starts_with("indexes")).unwrap().to_owned()
        };
        let valid = |is: bool| {
            format!("update pg_index set indisvalid = {is} where indexrelid = 'account_head_by_overdue'::regclass")
        };
        assert!(said(world).contains(" ok "), "{}", said(world));
        let sql = world.sql().await;
        sql.run(valid(false)).await;
        let found = said(world);
        sql.run(valid(true)).await;
        assert!(found.contains(" fail ") && found.contains("not complete: account_head_by_overdue"), "{found}");
    })
    .await;
}

#[tokio::test]
async fn without_a_database_a_server_starts_and_says_that_it_is_not_serving() {
    let nowhere = "postgres://u:hunter2@127.0.0.1:1/d";
    let world = one_replica().set("database.url", nowhere).set("database.migrate_on_start", false).start();
    let unready = run(&["healthcheck", "--server", world.url(0)], &[]);
    assert!(!unready.status.success(), "{unready:?}");
    let account = world.account();
    account.assign("L1", "anna").refused().await.is("STORE_UNAVAILABLE");
    account.owner("L1").refused().await.is("STORE_UNAVAILABLE");
    assert!(!world.replicas[0].log().contains("hunter2"), "no secret in the log");
}
