//! `ownership serve`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::configured::ConfigArgs;
use super::import::load_demo;
use super::output::note;
use crate::config::{Config, DatabaseUrl};
use crate::server::{Running, Server};
use crate::telemetry::Telemetry;

/// The account that the demo works in.
const DEMO_ACCOUNT: &str = "demo";
/// Where the client verbs look for a server unless told otherwise.
const DEFAULT_PORT: u16 = 50051;

/// Arguments of `serve`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Try it out: keep everything in DIR (temporary if not given) and load 8,800 leads into account `demo`
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "database")]
    #[expect(clippy::option_option, reason = "not given, given without a directory, given with one")]
    demo: Option<Option<PathBuf>>,
}

/// Runs the service until SIGTERM or SIGINT. A second one ends the process at once.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut config = args.config.load(&[("server.listen", args.listen)])?;
    let demo = args.demo.map(|dir| Demo::prepare(dir.as_deref(), &mut config)).transpose()?;
    let telemetry = Telemetry::start(&config)?;
    let served = serve(config, demo.is_some()).await;
    telemetry.shutdown();
    drop(demo);
    served
}

async fn serve(config: Config, demo: bool) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let server = Server::bind(config)?;
    let (address, url) = (server.local_addr(), server.url());
    let running = tokio::select! {
        running = server.start() => running?,
        () = stop.asked() => return Ok(()),
    };
    announce(&url)?;
    if demo {
        return with_demo(running, address, stop).await;
    }
    Ok(running.serve(stop.once()).await?)
}

/// Serves while the data set is loaded, and afterwards.
async fn with_demo(running: Running, address: SocketAddr, stop: Stop) -> anyhow::Result<()> {
    let load = async {
        let loaded = load_demo(&format!("http://{address}"), DEMO_ACCOUNT, true).await;
        match loaded {
            Ok(_) => note(&next_steps(address)),
            Err(error) => note(&format!("error: the demo data could not be loaded: {error:#}")),
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = running.serve(stop.once()) => Ok(served?),
        () = load => Ok(()),
    }
}

/// What scripts wait for. The one line on standard output.
fn announce(url: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "ownership {} listening on {url}", env!("CARGO_PKG_VERSION"))?;
    stdout.flush()
}

fn next_steps(address: SocketAddr) -> String {
    let server = if address.port() == DEFAULT_PORT { String::new() } else { format!(" --server http://{address}") };
    let program = program();
    let mut text = "\n8,800 leads of 35 agents are in account demo. Try next, in another terminal:\n\n".to_owned();
    for command in [
        "count --account demo",
        "list --account demo --owner moses-frase --stage Engaging --limit 10",
        "watch --account demo",
        "assign 1C1I7A6R --to anna-snelling --reason holiday --account demo",
        "history 1C1I7A6R --account demo",
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {program} {command}{server}");
    }
    text
}

/// This program, as it was called.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "ownership".to_owned())
}

/// Where the demo keeps its data.
struct Demo {
    /// Removed when dropped.
    _temporary: Option<TempDir>,
}

impl Demo {
    /// Points the configuration to an embedded database in a directory: the given one, or a temporary one.
    fn prepare(dir: Option<&Path>, config: &mut Config) -> anyhow::Result<Self> {
        let temporary = if dir.is_none() { Some(tempfile::tempdir()?) } else { None };
        let dir = dir.or(temporary.as_ref().map(TempDir::path)).context("no directory for the demo")?;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        config.database.url = DatabaseUrl::new(format!("sqlite:{}", dir.join("ownership.db").display()));
        config.database.migrate_on_start = None;
        let is_plain = !config.authenticates() && !config.server.tls.is_on();
        anyhow::ensure!(is_plain, "--demo shows itself to everybody on this machine: leave auth and server.tls away");
        // The usual one may be taken by something else that somebody tries out.
        config.admin.listen.set_port(0);
        Ok(Self { _temporary: temporary })
    }
}

/// The signals that ask the process to end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Completes with the first signal. From then on, the next one ends the process at once, which loses nothing that was
    /// acknowledged.
    #[expect(clippy::disallowed_methods, reason = "the task ends with the process, and ends it")]
    async fn once(mut self) {
        self.asked().await;
        tokio::spawn(async move {
            self.asked().await;
            std::process::exit(1);
        });
    }
}
