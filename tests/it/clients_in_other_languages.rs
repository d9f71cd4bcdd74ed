//! A client in another language, generated from the same contract.

use std::process::{Command, Stdio};

use crate::support::sources::repository;
use crate::support::*;

#[tokio::test]
async fn a_python_client_assigns_lists_and_resumes_a_watch() {
    check(async |world| {
        let script = repository().join("tests/python/run.sh");
        let server = world.url(0).trim_start_matches("http://").to_owned();
        let account = world.account().id;
        let output = tokio::task::spawn_blocking(move || {
            let arguments = ["tests/python/client.py", "--server", &server, "--account", &account];
            Command::new(script).args(arguments).stdin(Stdio::null()).output().unwrap()
        });
        let output = output.await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    })
    .await;
}
