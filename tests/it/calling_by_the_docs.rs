//! The programs of `docs/calling.md`, run as they are printed there.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::authority::Authority;
use crate::support::follower::example;
use crate::support::issuer::{Issuer, KeyFile};
use crate::support::proxy::Proxy;
use crate::support::sources::repository;
use crate::support::*;

const BOARD: &str = "spiffe://crm.example/ns/prod/sa/board";

#[derive(Clone, Copy)]
enum Language {
    Node,
    Python,
    Rust,
}

use Language::{Node, Python, Rust};

/// An account with a service that lets in whoever has papers, or a token.
struct Desk {
    authority: Authority,
    issuer: Issuer,
    keys: KeyFile,
    directory: TempDir,
}

impl Desk {
    fn new() -> Self {
        let issuer = Issuer::new("k1");
        let (authority, directory) = (Authority::default(), TempDir::new().unwrap());
        std::fs::write(directory.path().join("ca.crt"), authority.pem()).unwrap();
        Self { keys: KeyFile::of(&[&issuer]), authority, issuer, directory }
    }

    /// Leaves a certificate where callers look for it.
    fn with_certificate(self) -> Self {
        let papers = self.authority.program(BOARD);
        std::fs::write(self.directory.path().join("tls.crt"), papers.certificate).unwrap();
        std::fs::write(self.directory.path().join("tls.key"), papers.key).unwrap();
        self
    }

    /// Leaves a token there.
    fn with_token(self) -> Self {
        std::fs::write(self.directory.path().join("token"), self.issuer.service() + "\n").unwrap();
        self
    }

    async fn check(&self, body: impl AsyncFnOnce(&mut World, Account)) {
        let [certificate, key] = self.authority.server().put(self.directory.path(), "server");
        let setup = one_replica()
            .trusting(&self.keys, &self.issuer.service())
            .called_over(self.authority.trusted())
            .set("server.tls.certificate_file", certificate.display())
            .set("server.tls.key_file", key.display())
            .set("server.tls.client_ca_file", self.directory.path().join("ca.crt").display())
            .set("auth.services", BOARD);
        setup
            .check(async |world| {
                let account = world.account();
                account.members(["anna", "ben"]).await;
                account.leads(["L1", "L2", "L3"]).await;
                body(world, account).await;
            })
            .await;
    }

    fn start(&self, language: Language, url: &str, account: &Account, [lead, owner]: [&str; 2]) -> Program {
        let address = url.replace("https://127.0.0.1", "localhost");
        let (mut command, address) = match language {
            Node => (script("tests/node/run.sh", "docs/calling/calling.mjs"), format!("dns:///{address}")),
            Python => (script("tests/python/run.sh", "docs/calling/calling.py"), format!("dns:///{address}")),
            Rust => (example("calling"), format!("https://{address}")),
        };
        command.args([&*address, &*account.id, lead, owner]).arg(self.directory.path());
        Program::start(command, self.directory.path())
    }
}

fn script(runner: &str, program: &str) -> Command {
    let mut command = Command::new(repository().join(runner));
    command.arg(program);
    command
}

/// A program that runs. Killed when dropped; what it said is shown when the test fails.
struct Program {
    child: Child,
    said: PathBuf,
}

impl Program {
    fn start(mut command: Command, directory: &Path) -> Self {
        let said = directory.join("said");
        let file = File::create(&said).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), said }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    /// What it said about owners, once that are so many lines.
    async fn tells(&self, lines: usize) -> Vec<String> {
        let all = async || {
            let told = self
                .said()
                .lines()
                .filter(|line| line.contains(" at revision "))
                .map(str::to_owned)
                .collect::<Vec<_>>();
            (told.len() >= lines).then_some(told)
        };
        eventually("the program tells", all).await
    }

    async fn fails(&mut self) -> String {
        let status = eventually("the program ends", async || self.child.try_wait().unwrap()).await;
        assert!(!status.success(), "{}", self.said());
        self.said()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the program said\n{}", self.said());
        }
    }
}

/// Waits until a call of this method is under way.
async fn is_called(world: &World, method: &str) {
    let called = async || {
        let scraped = Scraped::of(&world.replicas[0].ask("/metrics").await.1);
        (scraped.reading("ownership_calls_active", &[method]) > 0.0).then_some(())
    };
    eventually("the service is called", called).await;
}

async fn an_assign_gets_through_and_a_watch_goes_on_when_connections_break(language: Language) {
    let desk = Desk::new().with_certificate();
    desk.check(async |world, account| {
        let network = Proxy::before(world.url(0));
        let held = world.sql().await.hold_head(&account.id).await;
        let program = desk.start(language, network.url(), &account, ["L1", "anna"]);
        is_called(world, "OwnershipService/Assign").await;
        network.cut();
        drop(held);
        program.tells(1).await;
        let revision = account.revision().await;
        is_called(world, "OwnershipService/WatchOwnerChanges").await;
        account.assign("L2", "ben").ok().await;
        program.tells(2).await;
        network.cut();
        account.bulk([to("L3", "ben"), nobodys("L2")]).ok().await;
        let told = program.tells(4).await;
        let expected = [
            format!("L1 is assigned to anna at revision {revision}"),
            format!("L2 goes to ben at revision {}", revision + 1),
            format!("L3 goes to ben at revision {}", revision + 2),
            format!("L2 goes to nobody at revision {}", revision + 2),
        ];
        assert_eq!(told, expected);
        let actors = account.timeline("L1").ok().await.changes.into_iter().filter_map(|change| change.actor);
        assert!(actors.into_iter().any(|actor| actor.caller_id == BOARD), "it calls as what its certificate says");
    })
    .await;
}

async fn a_refusal_says_why(language: Language) {
    let desk = Desk::new().with_token();
    desk.check(async |world, account| {
        let mut program = desk.start(language, world.url(0), &account, ["L1", "charles"]);
        let said = program.fails().await;
        assert!(["OWNER_UNKNOWN", "OwnerUnknown"].iter().any(|reason| said.contains(reason)), "{said}");
        let mut program = desk.start(language, world.url(0), &account, ["no lead", "anna"]);
        let said = program.fails().await;
        assert!(["INVALID_FIELD", "InvalidField"].iter().any(|reason| said.contains(reason)), "{said}");
        assert!(said.contains("lead_id"), "the field is named: {said}");
    })
    .await;
}

#[tokio::test]
async fn a_program_in_node_gets_its_assign_through_and_its_watch_goes_on() {
    an_assign_gets_through_and_a_watch_goes_on_when_connections_break(Node).await;
}

#[tokio::test]
async fn a_program_in_node_says_why_it_is_refused() {
    a_refusal_says_why(Node).await;
}

#[tokio::test]
async fn a_program_in_python_gets_its_assign_through_and_its_watch_goes_on() {
    an_assign_gets_through_and_a_watch_goes_on_when_connections_break(Python).await;
}

#[tokio::test]
async fn a_program_in_python_says_why_it_is_refused() {
    a_refusal_says_why(Python).await;
}

#[tokio::test]
async fn a_program_in_rust_gets_its_assign_through_and_its_watch_goes_on() {
    an_assign_gets_through_and_a_watch_goes_on_when_connections_break(Rust).await;
}

#[tokio::test]
async fn a_program_in_rust_says_why_it_is_refused() {
    a_refusal_says_why(Rust).await;
}
