//! A notification service, as it could be written on the ownership service: who gets leads is told so, if somebody asked for it, once
//! for all leads of a request; and those who look after an account are alerted to leads that nobody has owned for too long.
//!
//! What is to be sent is noted down in the same transaction as how far the events were followed, so it is noted down once. Sending
//! comes after that, and may happen twice when the program ends at the wrong moment: so each message has an id that is always the same,
//! and is the name of the file that stands for the message here.

#![expect(unreachable_pub, reason = "it is a program of its own")]

#[path = "../common/consumer.rs"]
mod consumer;
mod digests;

use std::path::PathBuf;

use clap::Parser;
use digests::Digests;

/// Follows the events of the ownership service: writes a digest for each person and request, and an alert for leads that nobody owns
#[derive(Parser)]
#[command(name = "notification")]
struct Args {
    /// The database of this service, which is created if it is missing
    #[arg(long, value_name = "FILE", default_value = "notification.db")]
    database: PathBuf,
    /// The directory that digests and alerts are written to, one file each
    #[arg(long, value_name = "DIRECTORY", default_value = "digests")]
    outbox: PathBuf,
    #[command(flatten)]
    follow: consumer::Follow,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Args { database, outbox, follow } = Args::parse();
    consumer::log();
    std::fs::create_dir_all(&outbox)?;
    let digests = Digests::open(&database).await?;
    tokio::select! {
        ended = follow.run("notification", digests.clone()) => ended,
        failed = digests.send_to(&outbox) => failed,
    }
}
