//! What callers may do, each with its role and its accounts, and under which name it is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::contract::methods;
use crate::support::issuer::{Issuer, KeyFile, claims, replace};
use crate::support::raw::{frame, post};
use crate::support::sources::text;
use crate::support::*;

const ROLES: [&str; 4] = ["service", "admin", "manager", "member"];

/// Runs a test against a server that trusts an issuer.
async fn check_with(issuer: &Issuer, body: impl AsyncFnOnce(&mut World)) {
    one_replica().trusting(&KeyFile::of(&[issuer]), &issuer.service()).check(body).await;
}

/// Which roles may call which method, as `README.md` says.
fn promised() -> BTreeMap<String, BTreeSet<&'static str>> {
    let readme = text("README.md");
    let begin = readme.find("| Methods | service | admin | manager | member |").expect("the table of roles");
    let rows = readme[begin..].lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut promised = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let roles = ROLES.into_iter().zip(&cells[1..]).filter(|(_, cell)| **cell == "yes").map(|(role, _)| role);
        let roles: BTreeSet<_> = roles.collect();
        for method in cells[0].split(", ") {
            assert!(promised.insert(method.to_owned(), roles.clone()).is_none(), "{method} stands twice");
        }
    }
    promised
}

#[tokio::test]
async fn each_role_has_the_methods_that_are_promised_and_no_other() {
    let issuer = Issuer::new("one");
    check_with(&issuer, async |world| {
        let promised = promised();
        let names: BTreeSet<_> = methods().into_iter().map(|method| method.name).collect();
        assert_eq!(promised.keys().cloned().collect::<BTreeSet<_>>(), names, "each method stands in the table");
        for method in methods() {
            for role in ROLES {
                let bearer = format!("Bearer {}", issuer.token(&claims(role, "acme")));
                let answer = refusal(post(world.url(0), &method.path, &[("authorization", &bearer)], frame(&[])).await);
                if promised[&method.name].contains(role) {
                    answer.is("INVALID_FIELD");
                } else {
                    let called = method.path.trim_start_matches('/');
                    answer.is("METHOD_NOT_ALLOWED").says("method", called).says("role", role);
                }
            }
        }
        let bearer = format!("Bearer {}", issuer.service());
        for path in ["/leadflip.ownership.v1.OwnershipService/Nothing", "/grpc.other.v1.Service/Method"] {
            refusal(post(world.url(0), path, &[("authorization", &bearer)], frame(&[])).await).is("METHOD_UNKNOWN");
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_uses_the_accounts_of_its_token_and_no_other() {
    let issuer = Issuer::new("one");
    check_with(&issuer, async |world| {
        let [mine, second, foreign, absent] = ["mine", "second", "foreign", "absent"].map(|id| world.account_named(id));
        foreign.leads(["L1"]).await;
        let token = issuer.token(&claims("admin", vec!["mine", "second"]));
        for account in [&mine, &second] {
            let own = account.with_token(world, &token);
            own.leads(["L1"]).await;
            assert_eq!(own.owner_of("L1").await, None);
        }
        let mut told = Vec::new();
        for account in [&foreign, &absent] {
            let strange = account.with_token(world, &token);
            for refused in [
                strange.owner("L1").refused().await,
                strange.list(nobody()).refused().await,
                strange.watch().refused().await,
                strange.stream_senders().refused().await,
                strange.register([lead("L2")]).refused().await,
                strange.forget(["L1"]).refused().await,
            ] {
                let refused = refused.is("ACCOUNT_NOT_ALLOWED").says("account_id", &account.id);
                told.push(format!("{refused:?}").replace(&account.id, "ACCOUNT"));
            }
        }
        assert_eq!(told[..6], told[6..], "the same whether the account exists or not");
        assert_eq!((foreign.revision().await, absent.revision().await), (1, 0), "and nothing has happened there");
    })
    .await;
}

#[tokio::test]
async fn what_a_caller_does_is_recorded_under_its_name_and_that_of_its_member() {
    let issuer = Issuer::new("one");
    check_with(&issuer, async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.leads(["L1"]).await;
        let claimed = |role: &str| account.with_token(world, &issuer.token(&claims(role, account.id.as_str())));
        let (member, service) = (claimed("member"), claimed("service"));
        member.assign("L1", "anna").ok().await;
        member.unassign("L1").acting_for("anna").ok().await;
        service.assign("L1", "ben").acting_for("ben").ok().await;
        service.unassign("L1").ok().await;
        let changes = account.timeline("L1").ok().await.changes;
        let actors = changes.into_iter().map(|change| change.actor.unwrap());
        let mut actors: Vec<_> = actors.map(|actor| (actor.caller_id, actor.member_id)).collect();
        actors.sort_by_key(|(caller, _)| caller == "some-service");
        let name = |name: &str| name.to_owned();
        let anna = (name("some-member"), Some(name("anna")));
        assert_eq!(actors.iter().filter(|actor| **actor == anna).count(), 2, "{actors:?}");
        for expected in [Some(name("ben")), None] {
            assert!(actors.contains(&(name("some-service"), expected)), "{actors:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_services_act_for_others() {
    let issuer = Issuer::new("one");
    check_with(&issuer, async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        account.leads(["L1"]).await;
        for role in ["admin", "manager", "member"] {
            let caller = account.with_token(world, &issuer.token(&claims(role, account.id.as_str())));
            let refused = caller.assign("L1", "anna").acting_for("ben").refused().await;
            refused.is("MEMBER_NOT_ALLOWED").says("member_id", "ben");
        }
        assert_eq!(account.revision().await, 2);
    })
    .await;
}

#[tokio::test]
async fn request_ids_and_watches_belong_to_their_caller() {
    let issuer = Issuer::new("one");
    one_replica()
        .trusting(&KeyFile::of(&[&issuer]), &issuer.service())
        .set("watch.per_caller", 1)
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            let [member, manager] = ["member", "manager"]
                .map(|role| account.with_token(world, &issuer.token(&claims(role, account.id.as_str()))));
            let first = member.watch().open().await;
            let _second = manager.watch().open().await;
            member.watch().refused().await.is("WATCH_LIMIT_REACHED").says("scope", "caller");
            drop(first);
            eventually("a place becomes free", async || member.watch().await.ok().map(drop)).await;
            let id = "7c1a5a0e-5d0e-4c55-9f61-0d0b7ac7a6c1";
            assert!(!member.assign("L1", "anna").once(id).ok().await.replayed);
            assert!(member.assign("L1", "anna").once(id).ok().await.replayed);
            assert!(!manager.assign("L1", "anna").once(id).ok().await.replayed, "another caller's id is another id");
        })
        .await;
}

#[tokio::test]
async fn commands_call_with_the_token_of_a_file_or_the_environment() {
    let issuer = Issuer::new("one");
    check_with(&issuer, async |world| {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("token");
        let server = world.url(0).to_owned();
        let list = ["list", "--any", "--account", "acme", "--server", &server];
        let bare = run(&list, &[]);
        let told = String::from_utf8(bare.stderr).unwrap();
        assert!(
            !bare.status.success() && told.contains("CREDENTIALS_MISSING") && told.contains("--token-file"),
            "{told}"
        );
        replace(&file, issuer.token(&claims("member", "acme")));
        for environment in [("OWNERSHIP_TOKEN_FILE", file.to_str().unwrap()), ("OWNERSHIP_TOKEN", &issuer.service())] {
            let listed = run(&list, &[environment]);
            assert!(listed.status.success(), "{listed:?}");
        }
        let mut watch = program();
        watch
            .args(["watch", "--account", "acme", "--limit", "1", "--server", &server])
            .env("OWNERSHIP_TOKEN_FILE", &file);
        let watching = watch.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let account = world.account_named("acme");
        account.members(["anna"]).await;
        let mut leads = (0..).map(|number| format!("L{number}"));
        let ended = tokio::task::spawn_blocking(move || watching.wait_with_output().unwrap());
        while !ended.is_finished() {
            account.register([lead(&leads.next().unwrap())]).ok().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let seen = ended.await.unwrap();
        assert!(seen.status.success() && String::from_utf8_lossy(&seen.stdout).contains("REGISTERED"), "{seen:?}");
    })
    .await;
}
