//! Nothing of one account is shown to, changed by or even guessed from another: for every method of the contract.

use std::collections::BTreeSet;
use std::fmt::Debug;

use tonic::Status;

use crate::support::contract::methods;
use crate::support::issuer::{Issuer, KeyFile, claims};
use crate::support::pb::{ChangeFilter, LeadUpdate, Member, StreamSendersResponse};
use crate::support::*;

/// What a caller learns from an answer: everything but times and the ids it named itself.
fn learnt<A: Debug>(answer: Result<A, Status>, lead: &str, member: &str) -> String {
    let told = match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(status) => format!("{:?}", refusal(status)),
    };
    without_times(&told.replace(lead, "LEAD").replace(member, "MEMBER"))
}

fn without_times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("Timestamp {") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find('}').expect("a closed timestamp") + start + 1;
        out.push_str("TIME");
        rest = &rest[end..];
    }
    out + rest
}

/// Calls a method with ids that somebody else knows, or that nobody does. A method that is missing here fails the test:
/// say which of its fields name things.
async fn probe(method: &str, account: &Account, their_lead: &str, their_member: &str) -> String {
    macro_rules! ask {
        ($call:expr) => {
            learnt($call.await, their_lead, their_member)
        };
    }
    match method {
        "Assign" => ask!(account.assign(their_lead, their_member)) + &ask!(account.assign("mine", their_member)),
        "Unassign" => ask!(account.unassign(their_lead)),
        "BulkAssign" => {
            let items = [to("mine", their_member), to(their_lead, "me"), nobodys("other").if_owner(their_member)];
            let skipping = account
                .bulk(items.clone())
                .batch("b")
                .with(|request| request.set_failure_mode(FailureMode::SkipFailed));
            ask!(account.bulk(items)) + &ask!(skipping)
        }
        "ListByOwner" => {
            let list = account.list(of(their_member)).with(|request| {
                request.include_cards = true;
                request.include_total = true;
            });
            ask!(list)
        }
        "WatchOwnerChanges" => overhear(account, their_lead, their_member).await,
        "GetOwner" => {
            ask!(account.owner(their_lead).with(|request| request.include_card = true))
                + &ask!(account.owner(their_lead).at_revision(1))
        }
        "BatchGetOwners" => ask!(account.owners([their_lead, "mine"]).with(|request| request.include_cards = true)),
        "ListOwnerChanges" => {
            let filter = ChangeFilter { owner_ids: vec![their_member.to_owned()], ..Default::default() };
            ask!(account.timeline(their_lead)) + &ask!(account.changes().with(|request| request.filter = Some(filter)))
        }
        "ResolveSenders" => ask!(account.senders([their_lead, "mine"])),
        "StreamSenders" => match account.stream_senders().await {
            Ok(stream) => told_in_all(stream).await.replace(their_lead, "LEAD").replace(their_member, "MEMBER"),
            Err(status) => format!("{:?}", refusal(status)),
        },
        "CountByOwner" => {
            let counts = account.counts().with(|request| {
                request.owner_ids = vec![their_member.to_owned()];
                request.include_cards = true;
            });
            ask!(counts)
        }
        other => probe_projections(other, account, their_lead, their_member).await,
    }
}

/// What a watch of their lead and member hears.
async fn overhear(account: &Account, their_lead: &str, their_member: &str) -> String {
    let filter = with(ChangeFilter::default(), |it| {
        it.owner_ids = vec![their_member.to_owned()];
        it.lead_ids = vec![their_lead.to_owned()];
    });
    let watch = account.watch().earliest().filtered(filter).every(1);
    if let Err(status) = watch.clone().await {
        return format!("{:?}", refusal(status));
    }
    let mut watching = watch.open().await;
    let heard = watching.next().await.unwrap();
    format!("{heard:?} up to {}", watching.position)
}

async fn told_in_all(mut stream: tonic::Streaming<StreamSendersResponse>) -> String {
    let mut told = String::new();
    while let Some(message) = stream.message().await.unwrap() {
        told += &format!("{message:?}");
    }
    told
}

/// As `probe`, for the services that feed us.
async fn probe_projections(method: &str, account: &Account, their_lead: &str, their_member: &str) -> String {
    macro_rules! ask {
        ($call:expr) => {
            learnt($call.await, their_lead, their_member)
        };
    }
    match method {
        "RegisterLeads" => {
            ask!(account.register([owned("new", their_member)])) + &ask!(account.register([lead(their_lead)]))
        }
        "UpdateLeads" => {
            let update = LeadUpdate { lead_id: their_lead.to_owned(), observed_at: Some(at(1)), ..Default::default() };
            ask!(account.update([update]))
        }
        "ForgetLeads" => ask!(account.forget([their_lead])),
        "GetLead" => ask!(account.get_lead(their_lead)),
        "UpsertMembers" => {
            let under = Member { manager_id: Some(their_member.to_owned()), ..somebody("me") };
            ask!(account.upsert([under])) + &ask!(account.upsert([somebody(their_member)]))
        }
        "GetMember" => ask!(account.get_member(their_member)),
        "ListMembers" => ask!(account.picker(their_member)),
        "DeactivateMember" => ask!(account.deactivate(their_member)),
        "GetSettings" => ask!(account.settings()),
        "UpdateSettings" => ask!(account.set_settings(Default::default())),
        other => panic!("{other} is new: say here which of its fields name things of an account"),
    }
}

fn somebody(id: &str) -> Member {
    Member { display_name: "Somebody".to_owned(), email: String::new(), ..member(id) }
}

#[tokio::test]
async fn every_method_answers_for_foreign_ids_as_for_ids_that_nobody_knows() {
    check(async |world| {
        let other = world.account();
        other.upsert([somebody("their-member")]).ok().await;
        other.register([owned("their-lead", "their-member")]).ok().await;
        other
            .set_settings(pb::Settings {
                default_sender: Some(pb::DefaultSender { name: "Theirs".into(), email: "t@example.com".into() }),
                ..Default::default()
            })
            .ok()
            .await;
        let before = (
            other.revision().await,
            other.get_lead("their-lead").ok().await,
            other.get_member("their-member").ok().await,
        );
        let names: BTreeSet<_> = methods().into_iter().map(|method| method.name).collect();
        assert!(names.len() >= 20, "the contract has {names:?}");
        for name in names {
            let mut answers = Vec::new();
            for (their_lead, their_member) in [("their-lead", "their-member"), ("nobody-lead", "nobody-member")] {
                let account = world.account();
                account.members(["me"]).await;
                account.register([owned("mine", "me"), lead("other")]).ok().await;
                answers.push(probe(&name, &account, their_lead, their_member).await.replace(&account.id, "ACCOUNT"));
            }
            assert_eq!(answers[0], answers[1], "{name} tells foreign ids from unknown ones");
            assert!(!answers[0].contains("Theirs"), "{name}: {}", answers[0]);
        }
        let after = (
            other.revision().await,
            other.get_lead("their-lead").ok().await,
            other.get_member("their-member").ok().await,
        );
        assert_eq!(after, before, "and nothing of theirs has moved");
    })
    .await;
}

#[tokio::test]
async fn every_method_answers_strangers_to_an_account_as_if_there_were_none() {
    let issuer = Issuer::new("one");
    one_replica()
        .trusting(&KeyFile::of(&[&issuer]), &issuer.service())
        .check(async |world| {
            let (other, nobodys) = (world.account(), world.account());
            other.upsert([somebody("their-member")]).ok().await;
            other.register([owned("their-lead", "their-member")]).ok().await;
            for method in methods() {
                // An admin and a service have every method between them.
                let role = if method.name == "UpdateSettings" { "admin" } else { "service" };
                let token = issuer.token(&claims(role, "mine"));
                let mut answers = Vec::new();
                for account in [&other, &nobodys] {
                    let answer =
                        probe(&method.name, &account.with_token(world, &token), "their-lead", "their-member").await;
                    answers.push(answer.replace(&account.id, "ACCOUNT"));
                }
                assert_eq!(answers[0], answers[1], "{} tells whether there is an account", method.name);
                assert!(answers[0].contains("ACCOUNT_NOT_ALLOWED"), "{}: {}", method.name, answers[0]);
            }
            assert_eq!((other.revision().await, nobodys.revision().await), (2, 0));
        })
        .await;
}

#[tokio::test]
async fn accounts_that_are_written_side_by_side_on_two_replicas_stay_apart() {
    two_replicas()
        .check(async |world| {
            // The same names and the same revisions in both, so that whatever is mixed up is mixed up unseen.
            let accounts = [world.account(), world.account()];
            let mut watching = Vec::new();
            for account in &accounts {
                account.members(["anna", "ben"]).await;
                account.leads(["L1", "L2"]).await;
                for replica in 0..2 {
                    watching.push(account.through(world, replica).watch().after(2).open().await);
                }
            }
            for round in 0..12 {
                let [mine, theirs] = [&accounts[0], &accounts[1]].map(|account| account.through(world, round));
                mine.assign("L1", ["anna", "ben"][round % 2]).ok().await;
                theirs.bulk([to("L1", ["ben", "anna"][round % 2]), to("L2", "anna")]).ok().await;
                assert_eq!(mine.through(world, round + 1).owner_of("L2").await, None);
            }
            let mut heard = Vec::new();
            for watching in &mut watching {
                heard.push(watching.until(14).await);
            }
            assert_eq!([heard[0].len(), heard[2].len()], [12, 13]);
            assert_eq!((&heard[0], &heard[2]), (&heard[1], &heard[3]), "on whichever replica");
            assert!(heard[0].iter().all(|change| change.lead_id == "L1"));
        })
        .await;
}

#[tokio::test]
async fn accounts_whose_names_begin_alike_are_different_accounts() {
    check(async |world| {
        let base = world.account().id;
        let ids = [base.clone(), format!("{base}1"), format!("{base}-"), base.to_uppercase()];
        for (index, id) in ids.iter().enumerate() {
            let account = world.account_named(id);
            account.register((0..=index).map(|number| lead(&format!("L{number}"))).collect::<Vec<_>>()).ok().await;
        }
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(world.account_named(id).list(anybody()).ok().await.leads.len(), index + 1, "{id}");
        }
    })
    .await;
}
