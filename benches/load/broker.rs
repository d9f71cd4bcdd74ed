//! The broker beside the service: what is in its stream, and what it takes without the service.

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self, Context};

use super::calls;
use super::data::account_id;
use super::world::{Database, World};

/// The stream of the service.
const STREAM: &str = "LEADFLIP_OWNERSHIP_V1";
/// A stream that knows nothing of the service.
const BARE: &str = "BARE";

/// How often is looked whether something has arrived.
const LOOK: Duration = Duration::from_millis(2);

/// A connection to it.
pub struct Broker {
    pub context: Context,
}

impl Broker {
    /// Connects.
    pub async fn of(world: &World) -> Result<Self> {
        Ok(Self { context: jetstream::new(async_nats::connect(&world.broker).await?) })
    }

    /// Starts the service once, and waits until all that happened so far is published.
    pub async fn prepare(world: &World, database: &Database) -> Result<Self> {
        let broker = Self::of(world).await?;
        let service = world.serve(database, &[("events.url", &world.broker)]).await?;
        for account in 0..database.shape.accounts {
            broker.published(account, calls::head(service.channel(), account).await?).await?;
        }
        Ok(broker)
    }

    /// Waits until an account is published up to a revision.
    pub async fn published(&self, account: usize, revision: i64) -> Result<()> {
        while self.last(account).await?.is_none_or(|(last, _)| last < revision) {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The last message of an account, with the revision that it ends with.
    pub async fn last(&self, account: usize) -> Result<Option<(i64, StreamMessage)>> {
        let Ok(stream) = self.context.get_stream(STREAM).await else { return Ok(None) };
        let subject = format!("leadflip.ownership.v1.changes.{}", account_id(account));
        let Ok(message) = stream.get_last_raw_message_by_subject(&subject).await else { return Ok(None) };
        let revision = message.headers.get("ce-lastrevision").context("no event")?.as_str().parse()?;
        Ok(Some((revision, message)))
    }

    /// Follows what the service publishes from now on.
    pub async fn follow(&self) -> Result<Ordered> {
        follow(&self.context.get_stream(STREAM).await?).await
    }

    /// An empty stream for messages under `bare.*`, kept as that of the service is.
    pub async fn bare(&self) -> Result<Stream> {
        let config = Config { name: BARE.to_owned(), subjects: vec!["bare.*".to_owned()], ..Config::default() };
        let stream = self.context.get_or_create_stream(config).await?;
        stream.purge().await?;
        Ok(stream)
    }
}

/// Follows what comes to a stream from now on.
pub async fn follow(stream: &Stream) -> Result<Ordered> {
    let config = OrderedConfig { deliver_policy: DeliverPolicy::New, ..OrderedConfig::default() };
    Ok(stream.create_consumer(config).await?.messages().await?)
}
