//! What a running service says of itself on its admin port.

use std::error::Error as _;
use std::io;

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::{self as client, Client};
use hyper_util::rt::TokioExecutor;
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
    let is_ready = ready.status == StatusCode::OK;
    let mut findings = vec![Finding::new("ready", ready.body.trim(), is_ready, (Verdict::Bad, "read its log"))];
    let config = serde_json::from_str(&config.body).ok();
    let other = (Verdict::Bad, "the service is of another version: use the doctor of that one");
    findings.push(Finding::new("configuration", "of the running service", config.is_some(), other));
    (findings, config)
}

struct Answer {
    status: StatusCode,
    body: String,
}

async fn get(admin: &str, path: &str) -> io::Result<Answer> {
    timeout(PATIENCE, ask(admin, path)).await?
}

async fn ask(admin: &str, path: &str) -> io::Result<Answer> {
    let host = admin.trim_start_matches("http://").trim_end_matches('/');
    let uri = Uri::try_from(format!("http://{host}{path}")).map_err(io::Error::other)?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(uri).await.map_err(in_words)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// What the system says of the connection; without that, what answers speaks something else.
fn in_words(error: client::Error) -> io::Error {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    match causes.find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => io::Error::new(cause.kind(), cause.to_string()),
        None => io::Error::other("what answers there is no admin port"),
    }
}
