//! Whether a broker is fit to be published to: for those who look after it.

use std::error::Error as _;

use super::broker::{Broker, Error, Line};
use super::{Connection, Stream};
use crate::store::checkup::{Finding, Verdict};

/// The oldest nats-server that is supported.
const OLDEST: [u64; 2] = [2, 11];

const OLD: &str = "the service needs nats-server 2.11 or later";
const UNREACHABLE: &str = "check events.url, that the broker runs, and who the service is there: events.user, \
                           events.credentials_file, events.ca_file, events.client_certificate_file";
const NO_JETSTREAM: &str = "turn JetStream on, in the configuration of the servers and for the account of this user";
const FORBIDDEN: &str = "let the user do that; docs/broker.md says what the service needs";
const DIFFERENT: &str = "change events.stream_* or the stream; until they agree nothing is published, and changes wait";
const SILENT: &str = "look after the broker; the stream of a cluster needs more than half of its servers";
const NOT_WOKEN: &str = "let the user publish and subscribe to leadflip.ownership.v1.wake; without that, watches see what other \
                         replicas write after watch.poll_interval";

/// Looks at a broker without changing anything, also while the service uses it.
pub async fn examine(connection: &Connection, stream: &Stream) -> Vec<Finding> {
    let servers = connection.urls.join(",");
    let broker = match Broker::connect(connection, &stream.name).await {
        Ok(broker) => broker,
        Err(error) => {
            let found = format!("{servers}: {}", whole(&error));
            return vec![Finding::new("broker", found, false, (Verdict::Bad, UNREACHABLE))];
        }
    };
    let version = broker.version();
    let supported = numbers(&version) >= OLDEST.to_vec();
    let mut findings = vec![
        Finding::new("broker", servers, true, (Verdict::Bad, "")),
        Finding::new("broker version", version, supported, (Verdict::Bad, OLD)),
    ];
    match broker.find(stream).await {
        Ok(false) => findings.push(found("stream", "is not there yet, and is created by the service", Ok(()))),
        Ok(true) => {
            findings.push(found("stream", "is as configured", Ok(())));
            findings.push(found("stream, reading", "is allowed", broker.try_to_read().await));
            findings.push(found("stream, publishing", "is allowed", broker.try_to_append().await));
        }
        Err(error) => findings.push(found("stream", "", Err(error))),
    }
    let woken = Line::hears_another(connection).await;
    let what = woken.as_ref().err().map_or_else(|| "are heard".to_owned(), whole);
    findings.push(Finding::new("wake-ups", what, woken.is_ok(), (Verdict::Doubtful, NOT_WOKEN)));
    findings
}

fn found(what: &'static str, well: &str, outcome: Result<(), Error>) -> Finding {
    match outcome {
        Ok(()) => Finding::new(what, well, true, (Verdict::Bad, "")),
        Err(error) => Finding::new(what, whole(&error), false, (Verdict::Bad, advice(&error))),
    }
}

fn advice(error: &Error) -> &'static str {
    match error {
        Error::Unreachable(_) | Error::Lost => UNREACHABLE,
        Error::NoJetStream(_) => NO_JETSTREAM,
        Error::Forbidden(_) => FORBIDDEN,
        Error::Different { .. } => DIFFERENT,
        Error::Silent(_) | Error::NoStream(_) | Error::Outrun | Error::Refused(_) => SILENT,
    }
}

/// An error with its causes.
fn whole(error: &Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

/// The numbers of a version, the most significant first.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map_while(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        let supported = |version| numbers(version) >= OLDEST.to_vec();
        assert!(["2.11.0", "2.11", "2.15.1", "3.0.0", "2.12.0-beta.1"].into_iter().all(supported));
        assert!(!["2.10.26", "2.9.1", "1.99.0", ""].into_iter().any(supported));
    }
}
