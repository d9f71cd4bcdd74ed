//! What stands in the stream, read message by message, with nothing of the service.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::context::GetStreamErrorKind;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use prost::Message as _;
use tokio::time::{Instant, sleep};

use super::World;
use super::events::{Complaint, disagreements};
use super::nats::Nats;
use super::pb::{LeadUnassignedOverdue, OverdueLead, OwnersChanged};

pub const STREAM: &str = "LEADFLIP_OWNERSHIP_V1";
/// Whatever the stream has lost is to be found and mended within this time.
pub const LIMIT: Duration = Duration::from_secs(60);
/// How long the broker may take to send all it has.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message of the stream.
#[derive(Debug, Clone)]
pub struct Message {
    pub sequence: u64,
    pub subject: String,
    pub headers: BTreeMap<String, String>,
    pub data: Bytes,
    /// What the message says. Of one about overdue leads, all that it says in the same way.
    pub event: OwnersChanged,
    pub overdue: Vec<OverdueLead>,
}

/// The bytes of messages, without what depends on their places in the stream.
pub fn bytes(messages: &[Message]) -> Vec<(Vec<(&String, &String)>, &Bytes)> {
    messages
        .iter()
        .map(|it| (it.headers.iter().filter(|(name, _)| name.starts_with("ce-")).collect(), &it.data))
        .collect()
}

/// All messages, in order. None, if there is no stream.
pub async fn read(nats: &Nats) -> Vec<Message> {
    try_read(nats).await.unwrap()
}

/// As `read`, of a broker that may be busy with itself.
async fn try_read(nats: &Nats) -> Result<Vec<Message>, async_nats::Error> {
    let mut stream = match nats.jetstream().await.get_stream(STREAM).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let count = stream.info().await?.state.messages as usize;
    let consumer = stream.create_consumer(OrderedConfig::default()).await?;
    let name = consumer.cached_info().name.clone();
    let messages = consumer.messages().await?.take(count);
    let read = tokio::time::timeout(PATIENCE, messages.map_ok(|message| parsed(&message)).try_collect()).await;
    // It would stay for half a minute, and there is a limit to them: who waits for something reads again and again.
    stream.delete_consumer(&name).await?;
    Ok(read??)
}

fn parsed(message: &async_nats::jetstream::Message) -> Message {
    let all = message.headers.as_ref().expect("an event has headers");
    let headers = all.iter().map(|(name, values)| (name.to_string(), values[0].to_string())).collect();
    let (event, overdue) = said(&headers, message.payload.clone());
    Message {
        sequence: message.info().unwrap().stream_sequence,
        subject: message.subject.to_string(),
        headers,
        data: message.payload.clone(),
        event,
        overdue,
    }
}

pub const OVERDUE: &str = "leadflip.ownership.v1.LeadUnassignedOverdue";

fn said(headers: &BTreeMap<String, String>, data: Bytes) -> (OwnersChanged, Vec<OverdueLead>) {
    if headers.get("ce-type").map(String::as_str) != Some(OVERDUE) {
        return (OwnersChanged::decode(data).expect("the data is what its type says"), Vec::new());
    }
    let LeadUnassignedOverdue {
        account_id,
        history_id,
        previous_revision,
        first_revision,
        last_revision,
        fragment,
        fragment_count,
        leads,
    } = LeadUnassignedOverdue::decode(data).expect("the data is what its type says");
    let event = OwnersChanged {
        account_id,
        history_id,
        previous_revision,
        first_revision,
        last_revision,
        fragment,
        fragment_count,
        changes: Vec::new(),
        intents: Vec::new(),
    };
    (event, leads)
}

/// The messages, once they hold what the log holds. Fails unless each change is there once, in order, in a chain of messages.
pub async fn complete(world: &World, nats: &Nats) -> Vec<Message> {
    let limit = Instant::now() + LIMIT;
    loop {
        let hopeless = Instant::now() > limit;
        match try_read(nats).await {
            Ok(messages) => {
                let complaints = disagreements(&messages, &world.tables().await);
                if complaints.is_empty() {
                    return messages;
                }
                let some = &complaints[..complaints.len().min(10)];
                let hopeless = hopeless || complaints.iter().any(Complaint::lasts);
                assert!(!hopeless, "the stream does not become what the log is: {some:#?}");
            }
            Err(error) => assert!(!hopeless, "the stream cannot be read: {error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}
