//! Where events are put that cannot be taken in, until somebody has looked at them.

use std::path::PathBuf;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Config;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;

use super::event::Fault;
use crate::BoxError;

/// An event that cannot be taken in.
#[derive(Debug, Clone)]
pub struct Parked {
    /// The consumer that could not.
    pub consumer: String,
    /// What is wrong.
    pub fault: Fault,
    /// The subject it stands under.
    pub subject: String,
    /// Its number in the stream.
    pub sequence: u64,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its data, as it came.
    pub data: Vec<u8>,
}

/// A place for events that cannot be taken in. What is parked twice, because the word that it was got lost, is to be there once or
/// to be recognisable by its number.
pub trait Parking: Send + Sync + 'static {
    /// Keeps it. Returns when it is safe.
    fn park<'a>(&'a self, parked: &'a Parked) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// A file with one line of JSON for each event, for a single program.
#[derive(Debug, Clone)]
pub struct ParkingFile(pub PathBuf);

impl Parking for ParkingFile {
    fn park<'a>(&'a self, parked: &'a Parked) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.0).await?;
            file.write_all(format!("{}\n", as_json(parked)).as_bytes()).await?;
            file.sync_all().await?;
            Ok(())
        })
    }
}

fn as_json(parked: &Parked) -> serde_json::Value {
    let Parked { consumer, fault, subject, sequence, headers, data } = parked;
    let headers: serde_json::Map<_, _> = headers
        .iter()
        .map(|(name, values)| (name.to_string(), values.iter().map(|value| value.as_str()).collect::<Vec<_>>().into()))
        .collect();
    json!({
        "consumer": consumer,
        "fault": fault.to_string(),
        "subject": subject,
        "sequence": sequence,
        "headers": headers,
        "data": STANDARD.encode(data),
    })
}

/// A stream of JetStream, which is created when it is missing: each event under `{stream}.{consumer}`, as it was, with two headers more,
/// and without those that were for the broker.
#[derive(Debug, Clone)]
pub struct ParkingStream {
    /// The way to the broker.
    pub context: Context,
    /// The name of the stream.
    pub stream: String,
}

impl Parking for ParkingStream {
    fn park<'a>(&'a self, parked: &'a Parked) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async {
            let Self { context, stream } = self;
            let subjects = vec![format!("{stream}.*")];
            context.get_or_create_stream(Config { name: stream.clone(), subjects, ..Default::default() }).await?;
            let Parked { consumer, fault, subject, sequence, headers, data } = parked;
            // A stream that was put back has another event under the same number.
            let id = headers.get("ce-id").map(|id| id.as_str()).unwrap_or_default();
            let id = format!("{consumer}.{sequence}.{id}");
            let mut headers = without_conditions(headers);
            headers.insert("Parked-Fault", fault.to_string().replace(['\r', '\n'], " "));
            headers.insert("Parked-From", format!("{subject}#{sequence}"));
            let message = PublishMessage::build()
                .headers(headers)
                .payload(data.clone().into())
                .message_id(id)
                .expected_stream(stream);
            context.send_publish(format!("{stream}.{consumer}"), message).await?.await?;
            Ok(())
        })
    }
}

/// Headers without the conditions on which they were published, which hold in another stream.
fn without_conditions(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in headers.iter().filter(|(name, _)| !name.to_string().starts_with("Nats-")) {
        values.iter().for_each(|value| kept.append(name.clone(), value.clone()));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_parked_in_a_file_is_a_line_that_has_everything() {
        let directory = tempfile::tempdir().unwrap();
        let parking = ParkingFile(directory.path().join("parked"));
        let mut headers = HeaderMap::new();
        headers.insert("ce-type", "odd");
        let parked = Parked {
            consumer: "c".to_owned(),
            fault: Fault::UnknownType("odd".to_owned()),
            subject: "s".to_owned(),
            sequence: 7,
            headers,
            data: b"\x00\xff".to_vec(),
        };
        parking.park(&parked).await.unwrap();
        parking.park(&parked).await.unwrap();
        let text = std::fs::read_to_string(&parking.0).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["sequence"], &lines[0]["data"]), (&json!(7), &json!("AP8=")));
        assert_eq!(lines[0]["headers"]["ce-type"], json!(["odd"]));
    }
}
