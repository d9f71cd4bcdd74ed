//! What publishes changes, as configured.

use crate::config::{self, Config, Secret};
use crate::ledger::Ledger;
use crate::publish::{Connection, Login, Options, Publisher, Stream};
use crate::rpc;

/// Starts to publish, if there is a broker to publish to.
pub(super) fn start(config: &Config, ledger: &Ledger) -> Option<Publisher> {
    Some(Publisher::start(ledger.clone(), options(&config.events)?))
}

/// How changes are published, if there is a broker to publish to.
pub(crate) fn options(events: &config::Events) -> Option<Options> {
    let urls = events.url.as_deref()?.split(',').map(|url| url.trim().to_owned()).collect();
    let password = events.password.as_ref().map(Secret::expose);
    let login = events.user.as_deref().zip(password);
    let certificate = events.client_certificate_file.clone();
    Some(Options {
        connection: Connection {
            urls,
            login: login.map(|(user, password)| Login { user: user.to_owned(), password: password.to_owned() }),
            credentials_file: events.credentials_file.clone(),
            ca_file: events.ca_file.clone(),
            client_files: certificate.zip(events.client_key_file.clone()),
            ack_timeout: events.ack_timeout,
        },
        stream: Stream {
            name: events.stream.clone(),
            replicas: events.stream_replicas,
            max_age: events.stream_max_age,
            max_bytes: events.stream_max_bytes,
        },
        poll_interval: events.poll_interval,
        at_once: events.at_once,
        format: rpc::EVENTS,
    })
}
