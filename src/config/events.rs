//! Where changes are published to.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Check, Secret};

/// `events.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// The NATS servers that changes are published to, with JetStream and of version 2.11 or later: `nats://HOST:4222`, or
    /// `tls://HOST:4222` where the connection must be encrypted; several of a cluster separated by commas. Absent: nothing is
    /// published; changes wait in the database until there is a broker.
    pub url: Option<String>,
    /// The user of the service there, with `events.password`.
    pub user: Option<String>,
    /// The password of the user.
    pub password: Option<Secret>,
    /// A file with the JWT and the key of the service, as NATS tools write it. Instead of user and password.
    pub credentials_file: Option<PathBuf>,
    /// A file with the certificates that the broker's own is checked against, in PEM. Absent: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// A file with the certificate that the service shows to the broker, in PEM, with `events.client_key_file`.
    pub client_certificate_file: Option<PathBuf>,
    /// A file with the key of that certificate.
    pub client_key_file: Option<PathBuf>,
    /// The stream: created if there is none, and otherwise used only if it is as configured here. Letters, digits, `_` and `-`.
    pub stream: String,
    /// How many servers of a cluster keep the stream, at least. 1 to 5; 3 survive the loss of one.
    pub stream_replicas: usize,
    /// How long the stream keeps messages, at least a minute. A consumer that was away for longer reads the log instead.
    #[serde(with = "humantime_serde")]
    pub stream_max_age: Duration,
    /// How large the stream may get, in bytes; the oldest messages make room. Absent: as large as its age makes it.
    pub stream_max_bytes: Option<u64>,
    /// How long the broker may take to answer before it is asked what became of a message.
    #[serde(with = "humantime_serde")]
    pub ack_timeout: Duration,
    /// How often changes are looked for that no replica has published, such as those of one that was killed.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    /// Accounts that a replica publishes at the same time. 1 to 1,000.
    pub at_once: usize,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password: None,
            credentials_file: None,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            stream: "LEADFLIP_OWNERSHIP_V1".to_owned(),
            stream_replicas: 1,
            stream_max_age: Duration::from_secs(14 * 24 * 60 * 60),
            stream_max_bytes: None,
            ack_timeout: Duration::from_secs(5),
            poll_interval: Duration::from_secs(1),
            at_once: 32,
        }
    }
}

impl Events {
    /// What makes sense of these keys, and what does not.
    pub(super) fn checks(&self) -> [Check; 10] {
        let Self { url, stream, stream_replicas, stream_max_age, ack_timeout, poll_interval, at_once, .. } = self;
        let (milli, minute) = (Duration::from_millis(1), Duration::from_secs(60));
        [
            (
                "events.url",
                url.as_deref().is_none_or(|url| url.split(',').all(is_server)),
                "must be nats://HOST:PORT or tls://HOST:PORT, or several separated by commas; who the service is stands in other keys",
            ),
            ("events.password", self.user.is_some() == self.password.is_some(), "goes with events.user"),
            (
                "events.credentials_file",
                self.credentials_file.is_none() || self.user.is_none(),
                "goes without events.user: one of them says who the service is",
            ),
            (
                "events.client_key_file",
                self.client_key_file.is_some() == self.client_certificate_file.is_some(),
                "goes with events.client_certificate_file",
            ),
            ("events.stream", is_stream(stream), "must be 1 to 64 letters, digits, `_` and `-`"),
            ("events.stream_replicas", (1..=5).contains(stream_replicas), "must be from 1 to 5"),
            ("events.stream_max_age", *stream_max_age >= minute, "must be at least 1min"),
            ("events.ack_timeout", (milli..=minute).contains(ack_timeout), "must be from 1ms to 60s"),
            ("events.poll_interval", (milli..=minute).contains(poll_interval), "must be from 1ms to 60s"),
            ("events.at_once", (1..=1_000).contains(at_once), "must be from 1 to 1000"),
        ]
    }
}

/// Whether a text names a server and nothing but a server: credentials in it would be printed with it.
fn is_server(url: &str) -> bool {
    let known = |uri: &http::Uri| matches!(uri.scheme_str(), Some("nats" | "tls"));
    let bare = |uri: &http::Uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    url.trim().parse::<http::Uri>().is_ok_and(|uri| known(&uri) && bare(&uri) && uri.host().is_some())
}

fn is_stream(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}
