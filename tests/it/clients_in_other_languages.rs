//! A client in another language, generated from the same contract.

use std::process::{Command, Stdio};

use crate::support::sources::repository;
use crate::support::*;

/// Runs a program in Python, with stubs of the contract.
async fn python_runs(arguments: Vec<String>) {
    let script = repository().join("tests/python/run.sh");
    let output = tokio::task::spawn_blocking(move || {
        Command::new(script).args(arguments).stdin(Stdio::null()).output().unwrap()
    });
    let output = output.await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
}

#[tokio::test]
async fn a_python_client_assigns_lists_and_resumes_a_watch() {
    check(async |world| {
        let server = world.url(0).trim_start_matches("http://");
        let account = world.account().id;
        let arguments = ["tests/python/client.py", "--server", server, "--account", &account];
        python_runs(arguments.map(str::to_owned).to_vec()).await;
    })
    .await;
}

#[tokio::test]
async fn a_consumer_in_python_tells_what_is_away_from_what_is_refused() {
    python_runs(vec!["tests/python/refusals.py".to_owned()]).await;
}
