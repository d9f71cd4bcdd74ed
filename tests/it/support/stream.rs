//! What stands in the stream, read message by message and compared with the log: nothing of the service has a say in it.

use std::collections::BTreeMap;

use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures::StreamExt;
use prost::Message as _;

use super::fold::is_owner_change;
use super::nats::Nats;
use super::pb::OwnersChanged;
use super::tables::{AccountRows, Fact, Tables};
use super::{World, at};

pub const STREAM: &str = "LEADFLIP_OWNERSHIP_V1";

/// A message of the stream.
#[derive(Debug, Clone)]
pub struct Message {
    pub sequence: u64,
    pub subject: String,
    pub headers: BTreeMap<String, String>,
    pub event: OwnersChanged,
}

/// All messages, in order. None, if there is no stream.
pub async fn read(nats: &Nats) -> Vec<Message> {
    let Ok(mut stream) = nats.jetstream().await.get_stream(STREAM).await else { return Vec::new() };
    let count = stream.info().await.unwrap().state.messages as usize;
    let consumer = stream.create_consumer(OrderedConfig::default()).await.unwrap();
    let messages = consumer.messages().await.unwrap().take(count);
    messages.map(|message| parsed(&message.unwrap())).collect().await
}

fn parsed(message: &async_nats::jetstream::Message) -> Message {
    let all = message.headers.as_ref().expect("an event has headers");
    let headers = all.iter().map(|(name, values)| (name.to_string(), values[0].to_string())).collect();
    Message {
        sequence: message.info().unwrap().stream_sequence,
        subject: message.subject.to_string(),
        headers,
        event: OwnersChanged::decode(message.payload.clone()).expect("the data is what its type says"),
    }
}

/// The messages, once they hold what the log holds. Fails unless each change is there once, in order, in a chain of messages.
pub async fn complete(world: &World, nats: &Nats) -> Vec<Message> {
    let mut complaints = Vec::new();
    for _ in 0..600 {
        let tables = world.tables().await;
        let messages = read(nats).await;
        complaints = disagreements(&messages, &tables);
        if complaints.is_empty() {
            return messages;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the stream does not become what the log is: {:#?}", &complaints[..complaints.len().min(10)]);
}

/// What is different between the stream and the log.
pub fn disagreements(messages: &[Message], tables: &Tables) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut by_account: BTreeMap<&str, Vec<&Message>> = BTreeMap::new();
    for message in messages {
        by_account.entry(&message.event.account_id).or_default().push(message);
        describes_itself(message, &mut complaints);
    }
    for (account, messages) in &by_account {
        chain(account, messages, &mut complaints);
    }
    for (account, rows) in &tables.0 {
        let messages = by_account.remove(account.as_str()).unwrap_or_default();
        compare(account, rows, &messages, &mut complaints);
    }
    complaints.extend(by_account.keys().map(|account| format!("{account} is not in the log")));
    complaints
}

/// The headers and the subject say what the data says.
fn describes_itself(message: &Message, complaints: &mut Vec<String>) {
    let Message { sequence, subject, headers, event } = message;
    let OwnersChanged { account_id, history_id, fragment, fragment_count, changes, .. } = event;
    let (first, last, previous) = (event.first_revision, event.last_revision, event.previous_revision);
    let newest = changes.last().expect("an event has changes");
    let expected = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-type", "leadflip.ownership.v1.OwnersChanged".to_owned()),
        ("ce-source", format!("/leadflip/ownership/{history_id}")),
        ("ce-id", format!("{account_id}.{first}-{last}.{fragment}")),
        ("ce-subject", account_id.clone()),
        ("ce-partitionkey", account_id.clone()),
        ("ce-datacontenttype", "application/protobuf".to_owned()),
        ("ce-sequence", format!("{last:020}")),
        ("ce-historyid", history_id.clone()),
        ("ce-previousrevision", previous.to_string()),
        ("ce-firstrevision", first.to_string()),
        ("ce-lastrevision", last.to_string()),
        ("ce-lastordinal", newest.ordinal.to_string()),
        ("ce-fragment", fragment.to_string()),
        ("ce-fragmentcount", fragment_count.to_string()),
    ];
    for (name, value) in expected {
        if headers.get(name) != Some(&value) {
            complaints.push(format!("message {sequence}: {name} is {:?}, not {value}", headers.get(name)));
        }
    }
    if *subject != format!("leadflip.ownership.v1.changes.{account_id}") || headers.contains_key("Nats-Msg-Id") {
        complaints.push(format!("message {sequence} of {account_id} stands under {subject}: {headers:?}"));
    }
    if (changes[0].revision, newest.revision) != (first, last) || changes.len() > 500 {
        complaints.push(format!("message {sequence} holds other revisions than {first} to {last}"));
    }
}

/// Each message follows the one before, and fragments are together.
fn chain(account: &str, messages: &[&Message], complaints: &mut Vec<String>) {
    let mut position = messages.first().map_or(0, |first| first.event.previous_revision);
    let mut fragments = 0;
    for Message { sequence, event, .. } in messages {
        let follows = event.previous_revision == position && event.fragment == fragments + 1;
        if !follows || event.fragment > event.fragment_count {
            complaints.push(format!(
                "message {sequence} of {account}: fragment {} of {}-{} follows {}, not fragment {fragments} after {position}",
                event.fragment, event.first_revision, event.last_revision, event.previous_revision,
            ));
        }
        fragments = event.fragment;
        if event.fragment == event.fragment_count {
            (position, fragments) = (event.last_revision, 0);
        }
    }
    if fragments > 0 {
        complaints.push(format!("{account} ends with fragment {fragments}"));
    }
}

/// The changes are those of the log, each once and in order, and no message has a part of another revision.
fn compare(account: &str, rows: &AccountRows, messages: &[&Message], complaints: &mut Vec<String>) {
    let logged: Vec<&Fact> = rows.facts.iter().filter(|fact| is_owner_change(fact)).collect();
    let published: Vec<_> = messages.iter().flat_map(|message| &message.event.changes).collect();
    if logged.len() != published.len() {
        complaints.push(format!("{account}: {} changes in the log, {} in the stream", logged.len(), published.len()));
        return;
    }
    for (fact, change) in logged.iter().zip(published) {
        let kind = change.kind().as_str_name().trim_start_matches("CHANGE_KIND_").to_lowercase();
        let same = (fact.revision, fact.ordinal, &fact.kind) == (change.revision, i64::from(change.ordinal), &kind)
            && fact.lead.as_deref() == Some(change.lead_id.as_str())
            && (&fact.previous_owner, &fact.owner) == (&change.previous_owner_id, &change.owner_id)
            && change.occurred_at == Some(at(fact.occurred_at))
            && fact.reason == change.reason;
        if !same {
            complaints.push(format!("{account}: {fact:?} in the log, {change:?} in the stream"));
            return;
        }
    }
}
