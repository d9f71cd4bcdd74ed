//! The broker of one test: a real nats-server with a port and a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use tempfile::TempDir;

/// How long a broker may take to accept connections on a busy machine.
const START: Duration = Duration::from_secs(20);

/// A broker. Killed when dropped.
pub struct Nats {
    child: Child,
    port: u16,
    directory: TempDir,
    arguments: Vec<String>,
}

impl Nats {
    /// Starts one that lets everybody in.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = TempDir::new().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let child = spawn(port, directory.path(), &arguments);
        Self { child, port, directory, arguments }
    }

    /// What goes into `events.url`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it anew, at the same place and over what it has kept. It is killed if it still runs.
    pub fn restart(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.kill();
        }
        self.child = spawn(self.port, self.directory.path(), &self.arguments);
    }

    /// A way to it beside the service.
    pub async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.url()).await.unwrap())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server() -> PathBuf {
    let server = std::env::var_os("OWNERSHIP_TEST_NATS_SERVER");
    server
        .expect("OWNERSHIP_TEST_NATS_SERVER names no nats-server; tests/run installs one and sets the variable")
        .into()
}

fn spawn(port: u16, directory: &Path, arguments: &[String]) -> Child {
    let mut command = Command::new(server());
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--log", "log"]);
    command.args(["--jetstream", "--store_dir"]).arg(directory).args(arguments).current_dir(directory);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limit = Instant::now() + START;
    while !answers(port) {
        assert!(Instant::now() < limit, "{}", std::fs::read_to_string(directory.join("log")).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Whether a broker greets who connects.
fn answers(port: u16) -> bool {
    let greeting = TcpStream::connect(("127.0.0.1", port)).and_then(|stream| {
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    });
    greeting.is_ok_and(|greeting| greeting.starts_with("INFO"))
}
