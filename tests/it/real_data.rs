//! The program on real input: a public CRM pipeline of 8,800 opportunities, and files as people really send them.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::sources::repository;
use crate::support::*;

const PIPELINE: &str = "examples/data/sales_pipeline.csv";
const TEAMS: &str = "examples/data/sales_teams.csv";

/// Runs `ownership import` for an account. The server is another process, so waiting for this one blocks nobody.
fn import(world: &World, account: &Account, arguments: &[&str]) -> Output {
    let server = ["--server", world.url(0), "--account", &account.id, "--output", "json"];
    let arguments: Vec<&str> = ["import"].iter().chain(arguments).chain(&server).copied().collect();
    run(&arguments, &[])
}

fn summary(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let parsed = serde_json::from_str(&text);
    parsed.unwrap_or_else(|error| panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Agent, stage, and how many: counted from the file by the plainest means.
fn expected() -> BTreeMap<(String, String), i64> {
    let mut counts = BTreeMap::new();
    let mut file = csv::Reader::from_path(repository().join(PIPELINE)).unwrap();
    for row in file.records() {
        let row = row.unwrap();
        *counts.entry((row[1].to_owned(), row[4].to_owned())).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn after_the_import_every_agent_has_the_leads_that_the_file_says() {
    check(async |world| {
        let account = world.account();
        let first = import(world, &account, &[PIPELINE, "--teams", TEAMS]);
        assert!(first.status.success(), "{first:?}");
        let told = summary(&first);
        assert_eq!(
            (told["rows"].as_i64(), told["registered"].as_i64(), told["refused"].as_i64()),
            (Some(8_800), Some(8_800), Some(0))
        );
        let counts = account.counts().with(|request| request.include_cards = true).ok().await;
        let names: BTreeMap<_, _> =
            counts.cards.iter().map(|card| (card.member_id.as_str(), card.display_name.as_str())).collect();
        let mut imported = BTreeMap::new();
        for count in &counts.counts[1..] {
            let name = names[count.owner_id.as_deref().unwrap()];
            for stage in &count.stages {
                let closed = ["Won", "Lost"].contains(&stage.stage.as_str());
                assert!(if closed { stage.open == 0 } else { stage.closed == 0 }, "{name}: {stage:?}");
                imported.insert((name.to_owned(), stage.stage.clone()), stage.open + stage.closed);
            }
        }
        assert_eq!(imported, expected());
        assert_eq!(counts.counts[0].total, 0, "no lead is left to nobody");
        // Once more: nothing happens twice.
        let head = account.revision().await;
        let second = import(world, &account, &[PIPELINE, "--teams", TEAMS]);
        assert!(second.status.success(), "{second:?}");
        assert_eq!((summary(&second)["registered"].as_i64(), account.revision().await), (Some(0), head));
    })
    .await;
}

#[tokio::test]
async fn a_lead_of_the_file_can_be_followed_from_the_command_line() {
    check(async |world| {
        let account = world.account();
        assert!(import(world, &account, &[PIPELINE, "--teams", TEAMS]).status.success());
        let lead = account.list(anybody()).ok().await.leads.remove(0);
        let (id, owner) = duty(&lead);
        let change = &account.timeline(id).ok().await.changes[0];
        assert_eq!((change.source(), change.owner_id.as_deref()), (Source::Import, owner));
        assert!(!change.batch_id.is_empty());
        let arguments = ["history", id, "--server", world.url(0), "--account", &account.id];
        let history = run(&arguments, &[]);
        assert!(
            history.status.success() && String::from_utf8_lossy(&history.stdout).contains(owner.unwrap()),
            "{history:?}"
        );
    })
    .await;
}

/// A file, the exit code of its import, and line and reason of each row that is refused.
struct Case {
    file: String,
    exit: i32,
    refused: &'static [(i64, &'static str)],
    registered: usize,
}

fn cases() -> Vec<Case> {
    let header = "lead_id,owner,stage,created_at\n";
    let case =
        |rows: &str, exit, refused, registered| Case { file: format!("{header}{rows}"), exit, refused, registered };
    vec![
        case("a,anna,New,2017-03-01\nb,,Won,2017-03-02\n", 0, &[], 2),
        case("a,anna,New,2017-03-01\nb,anna,New,31st of June\nc,,,\n", 3, &[(3, "BAD_DATE")], 2),
        case("a,anna,New,\nb,anna,New,\na,anna,Won,\n", 3, &[(4, "DUPLICATE_ITEM")], 2),
        case("a,anna,New,\nb,nobody knows,New,\n", 3, &[(3, "OWNER_UNKNOWN")], 1),
        case("a,anna,New\nb,anna,New,\n", 3, &[(2, "WRONG_FIELD_COUNT")], 1),
        case(&format!("a,anna,{},\nb,anna,New,\n", "x".repeat(1 << 20)), 3, &[(2, "INVALID_FIELD")], 1),
        case("no id,anna,New,\n,anna,New,\nc,anna,New,\n", 3, &[(2, "INVALID_FIELD"), (3, "INVALID_FIELD")], 1),
        Case {
            file: "\u{feff}lead_id,owner\r\na,anna\r\n\"b\",\"anna\"\r\n".to_owned(),
            exit: 0,
            refused: &[],
            registered: 2,
        },
    ]
}

#[tokio::test]
async fn bad_rows_are_reported_with_their_line_and_good_rows_go_in() {
    check(async |world| {
        let directory = TempDir::new().unwrap();
        for (number, case) in cases().into_iter().enumerate() {
            let account = world.account();
            account.members(["anna"]).await;
            let path = directory.path().join(format!("{number}.csv"));
            std::fs::write(&path, &case.file).unwrap();
            let output = import(world, &account, &[path.to_str().unwrap()]);
            let shown = &case.file[..case.file.floor_char_boundary(200)];
            assert_eq!(output.status.code(), Some(case.exit), "{shown}: {output:?}");
            let told = summary(&output);
            let refused = told["errors"].as_array().unwrap().iter();
            let refused: Vec<_> =
                refused.map(|row| (row["line"].as_i64().unwrap(), row["reason"].as_str().unwrap())).collect();
            assert_eq!(refused, case.refused, "{shown}: {told}");
            assert_eq!(account.list(anybody()).ok().await.leads.len(), case.registered, "{shown}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_without_the_column_that_is_needed_is_refused_as_a_whole() {
    check(async |world| {
        let account = world.account();
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("leads.csv");
        std::fs::write(&path, "owner,stage\nanna,New\n").unwrap();
        let output = import(world, &account, &[path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("lead_id"), "{output:?}");
        let missing = import(world, &account, &["/no/such/file.csv"]);
        assert!(!missing.status.success() && String::from_utf8_lossy(&missing.stderr).contains("/no/such/file.csv"));
        assert_eq!(account.revision().await, 0);
    })
    .await;
}
