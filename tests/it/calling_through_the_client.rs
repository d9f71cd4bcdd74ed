//! The client crate: calls and watches that get through while replicas and connections come and go.

use std::time::Duration;

use ownership_client::{Client, Options, Position, StartOver, Transport, Watch, Watched};
use tempfile::TempDir;
use tonic::transport::ClientTlsConfig;

use crate::support::authority::{Authority, BOARD, closed, encrypted};
use crate::support::pb::watch_owner_changes_request::Start;
use crate::support::pb::{AssignRequest, GetOwnerRequest, WatchOwnerChangesRequest};
use crate::support::proxy::{LOSE_ANSWER, Mode, Proxy};
use crate::support::*;

async fn client(addresses: &[&str]) -> Client {
    Client::open(addresses, Options::default()).await.unwrap()
}

async fn team(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben"]).await;
    account.leads(["L1"]).await;
    account
}

fn assign(account: &Account, owner: &str) -> AssignRequest {
    account.assign("L1", owner).request
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_repeated_and_happens_once() {
    check(async |world| {
        let account = team(world).await;
        let proxy = Proxy::before(world.url(0));
        let client = client(&[proxy.url()]).await;
        let before = client.call(assign(&account, "ben")).await.unwrap();
        proxy.set(Mode::LoseAnswer);
        let answer = client.call(account.assign("L1", "anna").reason(LOSE_ANSWER).request).await.unwrap();
        assert_eq!(proxy.mode(), Mode::Pass, "an answer was lost");
        assert!(answer.replayed && !before.replayed, "{answer:?}");
        assert_eq!((answer.outcome(), answer.revision), (Outcome::Reassigned, before.revision + 1));
        assert_eq!(account.revision().await, answer.revision);
    })
    .await;
}

#[tokio::test]
async fn calls_get_through_while_one_of_the_addresses_is_dead() {
    check(async |world| {
        let account = team(world).await;
        let client = client(&["http://127.0.0.1:1", world.url(0)]).await;
        for round in 0..40 {
            client.call(assign(&account, ["anna", "ben"][round % 2])).await.unwrap();
        }
        assert_eq!(account.changes().ok().await.changes.len(), 41);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_when_one_of_two_replicas_is_killed() {
    two_replicas()
        .check(async |world| {
            let account = team(world).await;
            // On SQLite, which has one process only, there are two ways to it, of which one is cut.
            let ways = [Proxy::before(world.url(0)), Proxy::before(world.url(1))];
            let client = client(&[ways[0].url(), ways[1].url()]).await;
            let mut callers = Vec::new();
            for caller in 0..4 {
                let (client, account) = (client.clone(), account.clone());
                callers.push(tokio::spawn(async move {
                    for round in 0..100 {
                        let owner = ["anna", "ben"][(caller + round) % 2];
                        client.call(assign(&account, owner)).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            ways[0].set(Mode::Down);
            if store() == Store::Postgres {
                world.replicas[0].kill();
            }
            for caller in callers {
                caller.await.expect("no call fails");
            }
        })
        .await;
}

#[tokio::test]
async fn a_refusal_has_its_reason_and_is_not_repeated() {
    check(async |world| {
        let account = team(world).await;
        let client = client(&[world.url(0)]).await;
        let unknown = GetOwnerRequest { lead_id: "nobody-knows-me".to_owned(), ..account.owner("L1").request };
        let error = client.call(unknown).await.unwrap_err();
        assert_eq!(error.reason(), Some(pb::ErrorReason::LeadNotFound));
        assert_eq!((error.metadata("lead_id"), error.attempts()), (Some("nobody-knows-me"), 1));
        let stale = account.assign("L1", "anna").if_revision(1).request;
        let error = client.call(stale).await.unwrap_err();
        assert_eq!((error.reason(), error.attempts()), (Some(pb::ErrorReason::RevisionMismatch), 1));
        let bad = client.call(assign(&account, "no member")).await.unwrap_err();
        assert_eq!(bad.fields()[0].0, "owner_id");
    })
    .await;
}

#[tokio::test]
async fn a_service_that_is_away_is_tried_until_the_attempts_are_over() {
    let error = client(&["http://127.0.0.1:1"]).await.call(GetOwnerRequest::default()).await.unwrap_err();
    assert_eq!((error.code(), error.reason(), error.attempts()), (Code::Unavailable, None, 5));
}

/// What a watch tells until it has told of a revision.
async fn told(watch: &mut Watch, until: i64) -> Vec<i64> {
    let mut revisions = Vec::new();
    while watch.position().is_none_or(|position| position.revision < until) {
        if let Watched::Changes(changes) = watch.next().await.unwrap() {
            revisions.extend(changes.iter().map(|change| change.revision));
        }
    }
    revisions
}

fn watching(account: &Account, after: i64) -> WatchOwnerChangesRequest {
    account.watch().with(|request| request.start = Some(Start::AfterRevision(after))).every(1).request
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_when_its_replica_is_killed() {
    let mut world = one_replica().start();
    let account = team(&world).await;
    world.stay();
    let client = client(&[world.url(0)]).await;
    let start = account.revision().await;
    let mut watch = client.watch(watching(&account, start));
    let (mut expected, mut heard) = (Vec::new(), Vec::new());
    for round in 0..6 {
        let account = account.through(&world, 0);
        let revision = account.assign("L1", ["anna", "ben"][round % 2]).ok().await.revision;
        expected.push(revision);
        heard.extend(told(&mut watch, revision).await);
        if round % 2 == 0 {
            world.replicas[0].kill();
            world.restart(0);
        }
    }
    assert_eq!(heard, expected);
    world.verify().await;
}

#[tokio::test]
async fn a_watch_says_when_what_it_has_seen_is_of_another_history() {
    check(async |world| {
        let account = team(world).await;
        let client = client(&[world.url(0)]).await;
        let mut watch = client.watch(watching(&account, 0));
        told(&mut watch, 2).await;
        let seen = watch.position().unwrap().clone();
        let lost = Position { history_id: "elsewhere".to_owned(), ..seen.clone() };
        watch.start_again(lost);
        assert_eq!(watch.next().await.unwrap(), Watched::StartOver(StartOver::OtherHistory));
        watch.start_again(Position { revision: 99, ..seen.clone() });
        assert_eq!(watch.next().await.unwrap(), Watched::StartOver(StartOver::InFuture));
        watch.start_again(seen);
        let revision = account.assign("L1", "anna").ok().await.revision;
        assert_eq!(told(&mut watch, revision).await, [revision]);
        let bad = client.watch(WatchOwnerChangesRequest::default()).next().await.unwrap_err();
        assert_eq!(bad.reason(), Some(pb::ErrorReason::InvalidField));
    })
    .await;
}

/// A client that encrypts like this.
async fn encrypting(address: &str, tls: Option<ClientTlsConfig>) -> Client {
    let transport = Transport { tls, ..Transport::default() };
    Client::open([address], Options { transport, ..Options::default() }).await.unwrap()
}

#[tokio::test]
async fn calls_and_watches_are_encrypted_for_whom_an_authority_vouches_and_not_made_to_others() {
    let (authority, stranger, directory) = (Authority::default(), Authority::default(), TempDir::new().unwrap());
    encrypted(&authority, directory.path())
        .check(async |world| {
            let account = team(world).await;
            let url = world.url(0);
            for (address, owner) in [(url.to_owned(), "anna"), (url.replace("127.0.0.1", "localhost"), "ben")] {
                let client = encrypting(&address, Some(authority.trusted())).await;
                let revision = client.call(assign(&account, owner)).await.unwrap().revision;
                let mut watch = client.watch(watching(&account, revision - 1));
                assert_eq!(told(&mut watch, revision).await, [revision]);
            }
            let before = account.revision().await;
            let plain = url.replace("https://", "http://");
            for (address, tls) in [(url, Some(stranger.trusted())), (url, None), (&plain, Some(authority.trusted()))] {
                let error = encrypting(address, tls).await.call(assign(&account, "anna")).await.unwrap_err();
                assert_eq!(error.reason(), None, "no server has answered: {error}");
            }
            assert_eq!(account.revision().await, before);
        })
        .await;
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate_and_not_let_in_without_one() {
    let (authority, stranger, directory) = (Authority::default(), Authority::default(), TempDir::new().unwrap());
    closed(&authority, directory.path())
        .check(async |world| {
            let account = team(world).await;
            let papers = |papers: &Authority, name: &str| authority.trusted().identity(papers.program(name).identity());
            let call = async |tls| encrypting(world.url(0), Some(tls)).await.call(assign(&account, "anna")).await;
            let revision = call(papers(&authority, BOARD)).await.unwrap().revision;
            let timeline = account.timeline("L1").ok().await.changes;
            let change = timeline.iter().find(|change| change.revision == revision).unwrap();
            assert_eq!(change.actor.as_ref().unwrap().caller_id, BOARD);
            let unknown = call(papers(&authority, "spiffe://crm.example/other")).await.unwrap_err();
            assert_eq!(unknown.reason(), Some(pb::ErrorReason::CallerUnknown));
            for tls in [authority.trusted(), papers(&stranger, BOARD)] {
                let error = call(tls).await.unwrap_err();
                assert_eq!(error.reason(), None, "no server has answered: {error}");
            }
            assert_eq!(account.revision().await, revision);
        })
        .await;
}
