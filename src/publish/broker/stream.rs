//! The stream: what it must be, and what is different about one that is there already.

use std::fmt;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};

use super::{Broker, Error, wire};
use crate::publish::Stream;
use crate::publish::audit::State;

/// Somebody else has created the stream with another configuration meanwhile.
const NAME_IN_USE: u64 = 10058;
/// How far a stream that is created anew begins beyond what is known of the lost one: more than can be on its way.
const BEYOND: u64 = 1_000_000;
/// The question how a stream is.
const INFO: &str = "STREAM.INFO";
/// There is no such stream.
const NOT_FOUND: usize = 404;
/// The largest message that is published, with its headers, and more.
const MAX_MESSAGE_BYTES: i32 = 512 * 1024;

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::publish) struct Difference {
    /// The setting, as the broker calls it.
    setting: &'static str,
    /// What it is.
    is: String,
    /// What it must be.
    must: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, is, must } = self;
        write!(f, "{setting} is {is} and must be {must}")
    }
}

/// Creates the stream if there is none, and makes sure that the one there is fits. `known` is the highest sequence number that a
/// message is known to have had.
pub(super) async fn prepare(broker: &Broker, wanted: &Stream, known: i64) -> Result<(), Error> {
    let found = match info(broker, wanted).await? {
        Some(found) => found,
        None => create(broker, wanted, known).await?,
    };
    fits(broker, &found, wanted)
}

/// Whether the stream is there. Fails if it is not as it must be.
pub(super) async fn find(broker: &Broker, wanted: &Stream) -> Result<bool, Error> {
    let found = info(broker, wanted).await?;
    found.as_ref().map_or(Ok(()), |found| fits(broker, found, wanted))?;
    Ok(found.is_some())
}

fn fits(broker: &Broker, found: &Info, wanted: &Stream) -> Result<(), Error> {
    let largest = broker.largest_message();
    let any_size = largest >= MAX_MESSAGE_BYTES as usize;
    let of_server = check("max_payload", any_size, &largest, || format!("at least {MAX_MESSAGE_BYTES}"));
    let differences: Vec<_> = differences(&found.config, wanted).into_iter().chain(of_server).collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::Different { name: wanted.name.clone(), differences })
}

/// How the stream is. It must be there, and as it must be.
pub(super) async fn state(broker: &Broker, wanted: &Stream) -> Result<State, Error> {
    let gone = || Error::NoStream(wanted.name.clone());
    let found = info(broker, wanted).await?.ok_or_else(gone)?;
    fits(broker, &found, wanted)?;
    let state = &found.state;
    let holes = if state.deleted_count.unwrap_or_default() > 0 { holes(broker).await? } else { Vec::new() };
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(State {
        incarnation: i64::try_from(found.created.unix_timestamp_nanos() / 1_000).unwrap_or_default(),
        first: number(state.first_sequence),
        last: number(state.last_sequence),
        holes,
        // Nine tenths: it makes room by whole messages.
        full: wanted.max_bytes.is_some_and(|most| state.bytes >= most / 10 * 9),
    })
}

/// The sequence numbers between the first and the last that have no message.
async fn holes(broker: &Broker) -> Result<Vec<i64>, Error> {
    let stream = broker.handle().await?;
    let found = broker.ask(INFO, stream.info_builder().with_deleted(true).fetch()).await?;
    let holes = found.map_err(|error| Error::Refused(error.into()))?.info.state.deleted.unwrap_or_default();
    Ok(holes.into_iter().filter_map(|sequence| i64::try_from(sequence).ok()).collect())
}

/// What there is of the stream.
async fn info(broker: &Broker, wanted: &Stream) -> Result<Option<Info>, Error> {
    match broker.ask(INFO, broker.context.get_stream(&wanted.name)).await? {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause) if cause.code() == NOT_FOUND => Ok(None),
            GetStreamErrorKind::JetStream(_) | GetStreamErrorKind::Request => Err(Error::NoJetStream(error.into())),
            GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => Err(Error::Refused(error.into())),
        },
    }
}

async fn create(broker: &Broker, wanted: &Stream, known: i64) -> Result<Info, Error> {
    // One that is created anew goes on well beyond where the lost one ended: a message that was on its way to that one then is
    // refused, for its condition names a number that does not come again.
    let first = u64::try_from(known).ok().filter(|known| *known > 0).map(|known| known + BEYOND);
    let config = Config { first_sequence: first, ..config(wanted) };
    match broker.ask("STREAM.CREATE", broker.context.create_stream(config)).await? {
        Ok(stream) => {
            tracing::info!(stream = wanted.name, "the stream was created");
            Ok(stream.cached_info().clone())
        }
        Err(error) => match error.kind() {
            CreateStreamErrorKind::JetStream(cause) if cause.error_code().0 == NAME_IN_USE => {
                let found = info(broker, wanted).await?;
                found.ok_or_else(|| Error::NoStream(wanted.name.clone()))
            }
            CreateStreamErrorKind::JetStreamUnavailable => Err(Error::NoJetStream(error.into())),
            _ => Err(Error::Refused(error.into())),
        },
    }
}

/// The stream as it is created.
fn config(wanted: &Stream) -> Config {
    let Stream { name, replicas, max_age, max_bytes } = wanted;
    Config {
        name: name.clone(),
        description: Some("Changes of the owners of leads".to_owned()),
        subjects: vec![wire::SUBJECTS.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: *replicas,
        max_age: *max_age,
        max_bytes: limit_of(*max_bytes),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        discard: DiscardPolicy::Old,
        deny_delete: true,
        allow_direct: true,
        ..Config::default()
    }
}

fn limit_of(bytes: Option<u64>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// What of a stream is not as it must be. What makes no difference to what is published, such as who may delete from it or how it
/// is compressed, is left to those who run the broker.
fn differences(found: &Config, wanted: &Stream) -> Vec<Difference> {
    let must = config(wanted);
    let any_size = found.max_message_size <= 0 || found.max_message_size >= MAX_MESSAGE_BYTES;
    let own = found.mirror.is_none() && found.sources.as_ref().is_none_or(Vec::is_empty);
    let checks = [
        equal("subjects", &found.subjects, &must.subjects),
        equal("retention", &found.retention, &must.retention),
        equal("storage", &found.storage, &must.storage),
        equal("discard", &found.discard, &must.discard),
        equal("max_age", &found.max_age, &must.max_age),
        equal("max_bytes", &limit(found.max_bytes), &limit(must.max_bytes)),
        equal("max_msgs", &limit(found.max_messages), &limit(must.max_messages)),
        equal("max_msgs_per_subject", &limit(found.max_messages_per_subject), &limit(must.max_messages_per_subject)),
        equal("no_ack", &found.no_ack, &false),
        equal("sealed", &found.sealed, &false),
        check("num_replicas", found.num_replicas >= must.num_replicas, &found.num_replicas, || {
            format!("at least {}", must.num_replicas)
        }),
        check("max_msg_size", any_size, &found.max_message_size, || format!("at least {MAX_MESSAGE_BYTES}")),
        check("mirror or sources", own, &"there", || "absent".to_owned()),
        check("subject_transform", found.subject_transform.is_none(), &"there", || "absent".to_owned()),
    ];
    checks.into_iter().flatten().collect()
}

/// A limit of the broker. It knows two ways to say that there is none.
fn limit(limit: i64) -> i64 {
    if limit > 0 { limit } else { -1 }
}

fn equal<T: PartialEq + fmt::Debug>(setting: &'static str, is: &T, must: &T) -> Option<Difference> {
    check(setting, is == must, is, || format!("{must:?}"))
}

fn check(
    setting: &'static str,
    holds: bool,
    is: &impl fmt::Debug,
    must: impl FnOnce() -> String,
) -> Option<Difference> {
    (!holds).then(|| Difference { setting, is: format!("{is:?}"), must: must() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wanted() -> Stream {
        Stream { name: "S".to_owned(), replicas: 1, max_age: Duration::from_secs(60), max_bytes: None }
    }

    fn told(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut found = config(&wanted());
        change(&mut found);
        differences(&found, &wanted()).iter().map(Difference::to_string).collect()
    }

    #[test]
    fn a_stream_as_it_is_created_fits_and_so_does_one_that_differs_where_it_does_not_matter() {
        assert_eq!(told(|_| {}), [""; 0]);
        let harmless = |found: &mut Config| {
            found.num_replicas = 3;
            found.deny_delete = false;
            found.max_bytes = 0;
            found.description = None;
        };
        assert_eq!(told(harmless), [""; 0]);
    }

    #[test]
    fn each_difference_is_named_with_what_it_must_be() {
        let wrong = |found: &mut Config| {
            found.max_age = Duration::from_secs(1);
            found.max_messages_per_subject = 1;
            found.retention = RetentionPolicy::WorkQueue;
        };
        assert_eq!(
            told(wrong),
            [
                "retention is WorkQueue and must be Limits",
                "max_age is 1s and must be 60s",
                "max_msgs_per_subject is 1 and must be -1"
            ]
        );
        assert_eq!(told(|found| found.subjects.push("x".to_owned())).len(), 1);
        assert_eq!(told(|found| found.num_replicas = 0), ["num_replicas is 0 and must be at least 1"]);
    }
}
