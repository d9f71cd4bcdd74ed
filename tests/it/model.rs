//! Random commands against the smallest model of the service: every answer, and the state after it, has to be equal.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::support::model::{Answer, Command, Condition, Model};
use crate::support::*;

fn lead_id() -> impl Strategy<Value = String> {
    (0..6).prop_map(|number| format!("L{number}"))
}

fn member_id() -> impl Strategy<Value = String> {
    (0..4).prop_map(|number| format!("m{number}"))
}

fn condition() -> impl Strategy<Value = Option<Condition>> {
    prop_oneof![
        6 => Just(None),
        2 => (0..2_i64).prop_map(|by| Some(Condition::Behind(by))),
        1 => member_id().prop_map(|owner| Some(Condition::Owner(owner))),
        1 => Just(Some(Condition::Unassigned)),
    ]
}

fn items() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let leads = proptest::sample::subsequence((0..6).collect::<Vec<_>>(), 1..6).prop_shuffle();
    (leads, proptest::collection::vec(proptest::option::of(member_id()), 6)).prop_map(|(leads, owners)| {
        leads.into_iter().zip(owners).map(|(lead, owner)| (format!("L{lead}"), owner)).collect()
    })
}

fn command() -> impl Strategy<Value = Command> {
    let standing =
        prop_oneof![4 => Just(Standing::Active), 1 => Just(Standing::Leaving), 1 => Just(Standing::Inactive)];
    prop_oneof![
        3 => (lead_id(), proptest::option::of(member_id())).prop_map(|(lead, owner)| Command::Register { lead, owner }),
        5 => (lead_id(), member_id(), condition())
            .prop_map(|(lead, owner, when)| Command::Assign { lead, owner, when }),
        2 => (lead_id(), condition()).prop_map(|(lead, when)| Command::Unassign { lead, when }),
        3 => (items(), any::<bool>()).prop_map(|(items, skip_failed)| Command::Bulk { items, skip_failed }),
        2 => (lead_id(), 0..6_i64).prop_map(|(lead, observed)| Command::Move { lead, observed }),
        1 => lead_id().prop_map(|lead| Command::Forget { lead }),
        4 => (member_id(), standing).prop_map(|(member, standing)| Command::Stand { member, standing }),
    ]
}

fn precondition(model: &Model, lead: &str, when: &Option<Condition>) -> Option<pb::Precondition> {
    let kind = match when.as_ref()? {
        Condition::Behind(by) => {
            pb::precondition::Kind::Revision(model.leads.get(lead).map_or(0, |known| known.revision - by))
        }
        Condition::Owner(owner) => pb::precondition::Kind::OwnerId(owner.clone()),
        Condition::Unassigned => pb::precondition::Kind::Unassigned(()),
    };
    Some(pb::Precondition { kind: Some(kind) })
}

/// Asks the service, and puts its answer into the words of the model.
async fn ask(account: &Account, model: &Model, command: &Command) -> Answer {
    match command {
        Command::Register { lead: id, owner } => {
            let new = with(lead(id), |it| {
                it.owner_id = owner.clone();
                it.observed_at = Some(at(0));
            });
            told(account.register([new])).await
        }
        Command::Assign { lead, owner, when } => {
            let precondition = precondition(model, lead, when);
            told(account.assign(lead, owner).with(|it| it.precondition = precondition)).await
        }
        Command::Unassign { lead, when } => {
            let precondition = precondition(model, lead, when);
            told(account.unassign(lead).with(|it| it.precondition = precondition)).await
        }
        Command::Bulk { items, skip_failed } => {
            let item = |(lead, owner): &(String, Option<String>)| {
                owner.as_ref().map_or(nobodys(lead), |owner| to(lead, owner))
            };
            let mode = [FailureMode::Unspecified, FailureMode::SkipFailed][usize::from(*skip_failed)];
            let bulk = account.bulk(items.iter().map(item).collect::<Vec<_>>());
            told(bulk.with(|it| it.set_failure_mode(mode))).await
        }
        Command::Move { lead, observed } => {
            let update = with(pb::LeadUpdate::default(), |it| {
                it.lead_id = lead.clone();
                it.observed_at = Some(at(*observed));
                it.stage = (*observed > 0).then(|| format!("stage {observed}"));
            });
            told(account.update([update])).await
        }
        Command::Forget { lead } => told(account.forget([lead])).await,
        Command::Stand { member: id, standing } => {
            told(account.upsert([with(member(id), |it| it.set_standing(*standing))])).await
        }
    }
}

async fn told<R: Rpc<Answer: Told>>(call: Call<R>) -> Answer {
    match call.await {
        Ok(answer) => Ok(answer.told()),
        Err(status) => {
            let refusal = refusal(status);
            let index = refusal.metadata.get("item_index").map_or(0, |index| index.parse().unwrap());
            Err((refusal.reason, index))
        }
    }
}

type Results = Vec<Result<(Outcome, Option<String>), String>>;

/// An answer in the words of the model: its revision, and what became of each item.
trait Told {
    fn told(self) -> (i64, Results);
}

macro_rules! told {
    ($answer:ident: $results:expr => $($response:ident),*) => {$(
        impl Told for pb::$response {
            fn told(self) -> (i64, Results) {
                let $answer = self;
                ($answer.revision, $results)
            }
        }
    )*};
}

told!(answer: vec![Ok((answer.outcome(), answer.previous_owner_id))] => AssignResponse, UnassignResponse);
told!(answer: answer.results.iter().map(|it| Ok((it.outcome(), None))).collect() =>
    RegisterLeadsResponse, UpdateLeadsResponse, ForgetLeadsResponse, UpsertMembersResponse);
told!(answer: answer.results.into_iter().map(bulk_result).collect() => BulkAssignResponse);

fn bulk_result(result: pb::BulkAssignResult) -> Result<(Outcome, Option<String>), String> {
    match result.outcome() {
        Outcome::Failed => Err(result.error.unwrap().reason),
        outcome => Ok((outcome, result.previous_owner_id)),
    }
}

async fn run(account: Account, commands: Vec<Command>) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for command in &commands {
        let repeated =
            matches!(command, Command::Stand { member, standing } if model.members.get(member) == Some(standing));
        if repeated {
            continue;
        }
        let answer = ask(&account, &model, command).await;
        prop_assert_eq!(answer, model.run(command), "{:?}", command);
        let read = account.owners((0..6).map(|number| format!("L{number}"))).ok().await;
        let owners: Vec<_> = read.ownerships.into_iter().map(|one| (one.lead_id, one.owner_id, one.revision)).collect();
        let expected: Vec<_> =
            model.leads.iter().map(|(id, known)| (id.clone(), known.owner.clone(), known.revision)).collect();
        prop_assert_eq!((owners, read.revision), (expected, model.revision), "{:?}", command);
    }
    let log = account.log(account.changes()).await;
    let log: Vec<_> = log
        .into_iter()
        .map(|change| (change.revision, change.ordinal, change.lead_id.clone(), change.kind(), change.owner_id))
        .collect();
    prop_assert_eq!(log, model.log);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_commands_are_answered_as_the_model_answers_them() {
    check(async |world| {
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let runtime = tokio::runtime::Handle::current();
        let commands = proptest::collection::vec(command(), 1..40);
        let outcome = runner.run(&commands, |commands| {
            let account = world.account();
            tokio::task::block_in_place(|| runtime.block_on(run(account, commands)))
        });
        if let Err(TestError::Fail(reason, commands)) = outcome {
            panic!("{reason}\nafter: {commands:#?}");
        }
    })
    .await;
}
