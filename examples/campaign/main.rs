//! A campaign service, as it could be written on the ownership service.
//!
//! It keeps a table of who owns which lead, and starts campaigns whose messages are sent in the name of the owners: the senders of a
//! campaign are resolved when it starts, at one revision, and stay what they are, whoever gets the leads later.

#![expect(
    clippy::print_stdout,
    unreachable_pub,
    reason = "it is a program of its own, and answers on its standard output"
)]

#[path = "../common/consumer.rs"]
mod consumer;
mod senders;
mod table;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use ownership_client::{Client, Options};
use table::Table;

/// Follows the owners of leads, and starts campaigns that are sent in their names
#[derive(Parser)]
#[command(name = "campaign")]
struct Args {
    /// The database of this service, which is created if it is missing
    #[arg(long, value_name = "FILE", default_value = "campaign.db", global = true)]
    database: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Keep the table of owners up to date, until interrupted
    Follow(consumer::Follow),
    /// Show how many leads each owner would send to
    Preview {
        /// The account
        #[arg(long, value_name = "ID")]
        account: String,
    },
    /// Start a campaign to all open leads of an account: resolve who sends to each
    Start(Campaign),
    /// Ask again who sent, as of the start of a campaign, and compare
    Check(Campaign),
}

/// A campaign.
#[derive(clap::Args)]
struct Campaign {
    /// Its name
    name: String,
    /// The account
    #[arg(long, value_name = "ID")]
    account: String,
    /// The service; several addresses are taken in turn
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50051")]
    server: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Args { database, verb } = Args::parse();
    consumer::log();
    let table = Table::open(&database).await?;
    match verb {
        Verb::Follow(follow) => follow.run("campaign", table).await,
        Verb::Preview { account } => {
            for (owner, leads) in table.preview(&account).await? {
                println!("{leads:>8}  {}", owner.as_deref().unwrap_or("(nobody)"));
            }
            Ok(())
        }
        Verb::Start(Campaign { name, account, server }) => {
            let client = Client::open(server, Options::default()).await?;
            let (revision, recipients) = senders::start(&client, &table, &account, &name).await?;
            println!("{name}: {recipients} recipients at revision {revision}");
            Ok(())
        }
        Verb::Check(Campaign { name, account, server }) => {
            let client = Client::open(server, Options::default()).await?;
            let (checked, differing) = senders::check(&client, &table, &account, &name).await?;
            println!("{name}: {checked} recipients, {differing} with another sender");
            Ok(())
        }
    }
}
