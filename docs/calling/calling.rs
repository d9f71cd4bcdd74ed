//! Assigns a lead, then tells what becomes of it and others: calling URL ACCOUNT LEAD OWNER CREDENTIALS

#![expect(clippy::print_stdout, reason = "it is a program of its own")]

use std::env::args;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ownership_client::proto::v1::watch_owner_changes_request::Start;
use ownership_client::proto::v1::{AssignRequest, WatchOwnerChangesRequest, WriteContext};
use ownership_client::tonic::transport::{Certificate, ClientTlsConfig, Identity};
use ownership_client::{BoxError, Client, Error, Options, TokenFile, Transport, Watched};

/// A client of every replica that the address names. Made once and cloned: clones share the connections.
async fn connect(url: &str, directory: &Path) -> Result<Client, BoxError> {
    let options = Options { deadline: Duration::from_secs(5), transport: transport(directory)?, ..Options::default() };
    Ok(Client::open([url], options).await?)
}

/// Whom to trust, and who calls: what the certificate in the directory says, or else the token.
fn transport(directory: &Path) -> Result<Transport, BoxError> {
    // Certificates are read once: open a new client when their files change.
    let read = |name| std::fs::read(directory.join(name));
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca.crt")?));
    if directory.join("tls.crt").exists() {
        let tls = tls.identity(Identity::from_pem(read("tls.crt")?, read("tls.key")?));
        return Ok(Transport { tls: Some(tls), ..Transport::default() });
    }
    // Asked for each call, since tokens are replaced before they expire.
    let token = TokenFile(directory.join("token"));
    Ok(Transport { tls: Some(tls), identity: Some(Arc::new(token)), ..Transport::default() })
}

async fn run(url: &str, [account, lead, owner]: [&str; 3], directory: &Path) -> Result<(), BoxError> {
    let client = connect(url, directory).await?;
    // The client gives it a request id: it happens once, however often it has to be sent.
    let assign = AssignRequest {
        account_id: account.to_owned(),
        lead_id: lead.to_owned(),
        owner_id: owner.to_owned(),
        context: Some(WriteContext { reason: "by hand".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let revision = client.call(assign).await?.revision;
    println!("{lead} is assigned to {owner} at revision {revision}");
    let mut watch = client.watch(WatchOwnerChangesRequest {
        account_id: account.to_owned(),
        start: Some(Start::AfterRevision(revision)),
        ..Default::default()
    });
    loop {
        // All up to watch.position() was told. Keep it with what you make of the changes.
        match watch.next().await? {
            Watched::Progress => {}
            Watched::StartOver(why) => return Err(format!("list the leads, then watch again: {why:?}").into()),
            Watched::Changes(changes) => {
                for change in changes {
                    let owner = change.owner_id.as_deref().unwrap_or("nobody");
                    println!("{} goes to {owner} at revision {}", change.lead_id, change.revision);
                }
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<_> = args().skip(1).collect();
    let [url, account, lead, owner, directory] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return Err("calling URL ACCOUNT LEAD OWNER CREDENTIALS".into());
    };
    let outcome = run(url, [account, lead, owner], Path::new(directory)).await;
    // Why a call was refused: reason, what belongs to it, and what is wrong with which field.
    if let Some(error) = outcome.as_ref().err().and_then(|error| error.downcast_ref::<Error>()) {
        eprintln!("{:?} {:?} {:?}", error.code(), error.reason(), error.fields());
    }
    outcome
}
