//! `ownership doctor`: looks at everything the service depends on, and says what to do.

mod identity;
mod production;
mod running;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::client;
use super::configured::ConfigArgs;
use super::credentials::Credentials;
use super::output::{Format, Output, table};
use crate::config::{self, Config};
use crate::domain::time::Timestamp;
use crate::publish;
use crate::server::publishing;
use crate::store::checkup::{self, Finding, Verdict};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Look at the service that runs behind this admin port, instead of at a configuration
    #[arg(long, value_name = "URL", conflicts_with_all = ["file", "database", "settings"])]
    admin: Option<String>,
    /// Look at what an installation for production needs, too
    #[arg(long)]
    production: bool,
    /// Server to ask whether it takes calls
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// What to show to it.
    #[command(flatten)]
    credentials: Credentials,
    /// Print a table for people, or JSON for scripts
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Looks, prints what it finds, and fails if something has to be changed. Changes nothing itself.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let (mut findings, config) = match &args.admin {
        Some(admin) => running::examine(admin).await,
        None => match args.config.load(&[]) {
            Ok(config) => (of_config(&config).await, Some(config)),
            Err(config::Error(problems)) => (problems.iter().map(wrong).collect(), None),
        },
    };
    if let Some(config) = config.filter(|_| args.production) {
        findings.extend(production::findings(&config));
    }
    if let Some(server) = &args.server {
        findings.push(of_server(server, &args.credentials).await);
    }
    Output::stdout(args.output).print(|| as_json(&findings), || as_table(&findings))?;
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    anyhow::ensure!(bad == 0, "{bad} of {} checks failed", findings.len());
    Ok(())
}

fn wrong(problem: &config::Problem) -> Finding {
    let otherwise = (Verdict::Bad, "correct the configuration");
    Finding::new("configuration", problem.to_string(), false, otherwise)
}

async fn of_config(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::new("configuration", "can be read", true, (Verdict::Bad, ""))];
    findings.push(of_listen(config));
    findings.extend(identity::findings(config, now()).await);
    let url = &config.database.url;
    match checkup::examine(url.expose(), now).await {
        Ok(found) => {
            findings.push(Finding::new("database", url.describe(), true, (Verdict::Bad, "")));
            findings.extend(found);
        }
        Err(error) => {
            let otherwise = (Verdict::Bad, "check database.url, and that the database runs and lets this user in");
            findings.push(Finding::new("database", format!("{}: {error}", url.describe()), false, otherwise));
        }
    }
    if let Some(options) = publishing::options(&config.events) {
        findings.extend(publish::examine(&options.connection, &options.stream).await);
    }
    findings
}

/// Who can connect, and what becomes of those who should not.
fn of_listen(config: &Config) -> Finding {
    let is_open = !config.server.listen.ip().is_loopback();
    let (doubtful, advice) = match (config.authenticates(), config.server.tls.is_on()) {
        (false, _) => (is_open, "nobody has to prove who they are: the network has to keep strangers out"),
        (true, false) => {
            (is_open, "tokens travel unencrypted: set server.tls, or put something before it that encrypts")
        }
        (true, true) => (false, ""),
    };
    Finding::new("listen", config.server.listen.to_string(), !doubtful, (Verdict::Doubtful, advice))
}

async fn of_server(server: &str, credentials: &Credentials) -> Finding {
    let status = match tokio::time::timeout(PATIENCE, health(server, credentials)).await {
        Ok(Ok(status)) => status.as_str_name().to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    let serving = status == ServingStatus::Serving.as_str_name();
    Finding::new("server", format!("{server}: {status}"), serving, (Verdict::Bad, "read the log of the server"))
}

async fn health(server: &str, credentials: &Credentials) -> Result<ServingStatus, super::error::Error> {
    let mut health = HealthClient::new(client::connect(server, credentials).await?);
    Ok(health.check(Request::new(HealthCheckRequest::default())).await?.into_inner().status())
}

#[expect(clippy::disallowed_methods, reason = "the clock of this machine is what is looked at")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fine => "ok",
        Verdict::Doubtful => "warn",
        Verdict::Bad => "fail",
    }
}

fn as_json(findings: &[Finding]) -> Value {
    let finding = |Finding { what, verdict, found, advice }: &Finding| json!({"check": what, "verdict": word(*verdict), "found": found, "advice": advice});
    json!({"checks": findings.iter().map(finding).collect::<Vec<_>>()})
}

fn as_table(findings: &[Finding]) -> String {
    let row = |Finding { what, verdict, found, advice }: &Finding| {
        [(*what).to_owned(), word(*verdict).to_owned(), found.clone(), (*advice).to_owned()]
    };
    table(&["CHECK", "VERDICT", "FOUND", "WHAT TO DO"], &[], findings.iter().map(row))
}
