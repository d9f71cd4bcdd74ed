//! What a running service says of itself on its admin port.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;
use crate::config::Config;
use crate::store::checkup::{Finding, Verdict};

/// Whether it is ready, and how it is configured, if that can be learned.
pub(super) async fn examine(admin: &str) -> (Vec<Finding>, Option<Config>) {
    let unreachable = (Verdict::Bad, "check the address, and that admin.enabled is true there");
    let (ready, config) = match (get(admin, "/readyz").await, get(admin, "/config").await) {
        (Ok(ready), Ok(config)) => (ready, config),
        (Err(error), _) | (_, Err(error)) => {
            return (vec![Finding::new("admin", format!("{admin}: {error}"), false, unreachable)], None);
        }
    };
    let is_ready = ready.status == 200;
    let mut findings = vec![Finding::new("ready", ready.body.trim(), is_ready, (Verdict::Bad, "read its log"))];
    let config = serde_json::from_str(&config.body).ok();
    let other = (Verdict::Bad, "the service is of another version: use the doctor of that one");
    findings.push(Finding::new("configuration", "of the running service", config.is_some(), other));
    (findings, config)
}

struct Answer {
    status: u16,
    body: String,
}

async fn get(admin: &str, path: &str) -> io::Result<Answer> {
    timeout(PATIENCE, ask(admin, path)).await?
}

/// By hand: the clients that are there anyway speak HTTP/2 or TLS, and this is a line each way. In version 1.0 the answer ends
/// with the connection.
async fn ask(admin: &str, path: &str) -> io::Result<Answer> {
    let host = admin.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(host).await?;
    connection.write_all(format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let parts = || {
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some(Answer { status: head.split(' ').nth(1)?.parse().ok()?, body: body.to_owned() })
    };
    parts().ok_or_else(|| io::Error::other("what answers there is no admin port"))
}
