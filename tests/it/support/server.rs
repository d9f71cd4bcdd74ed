//! The program under test as processes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Scraped;

/// How long a server may take to accept calls on a busy machine.
const START: Duration = Duration::from_secs(30);

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The program under test.
pub fn program() -> Command {
    unconfigured(env!("CARGO_BIN_EXE_ownership"))
}

/// The same of the release before.
pub fn previous_program() -> Command {
    unconfigured(std::env::var_os("OWNERSHIP_TEST_PREVIOUS").expect(
        "OWNERSHIP_TEST_PREVIOUS names no program of the release before; tests/run builds it and sets the variable",
    ))
}

/// A program with nothing of this process's own configuration.
fn unconfigured(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OWNERSHIP_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end, which has to come.
pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = program();
    command.args(arguments).envs(environment.iter().copied());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let process = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(LIMIT).map(Result::unwrap).unwrap_or_else(|_| {
        signal("KILL", process);
        panic!("{arguments:?} does not end");
    })
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A serving process. Killed when dropped; its log is shown when the test fails.
pub struct Server {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Server {
    /// Starts a server and waits until it accepts calls.
    pub fn start(settings: &BTreeMap<String, String>, logs: &Path) -> Self {
        Self::start_program(program(), settings, logs)
    }

    /// As `start`, of another program.
    pub fn start_program(program: Command, settings: &BTreeMap<String, String>, logs: &Path) -> Self {
        Self::try_start(program, settings, logs).unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// As `start_program`; of a server that does not come up, what it logged.
    pub fn try_start(mut command: Command, settings: &BTreeMap<String, String>, logs: &Path) -> Result<Self, String> {
        let log = logs.join(format!("{}.log", uuid::Uuid::new_v4().simple()));
        command.arg("serve").stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        for (key, value) in settings {
            command.env(variable(key), value);
        }
        let mut child = command.spawn().unwrap();
        let line = first_line(child.stdout.take().unwrap());
        let url = line.as_ref().and_then(|line| line.rsplit_once(" listening on "));
        let url = url.map(|(_, url)| url.trim().to_owned());
        let mut server = Self { child, url: url.clone().unwrap_or_default(), log };
        if url.is_none() {
            server.kill();
            return Err(server.log());
        }
        Ok(server)
    }

    /// Where it accepts calls.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its admin port is, which it logs before it accepts calls.
    pub fn admin(&self) -> String {
        let log = self.log();
        let line =
            log.lines().find(|line| line.contains("admin port")).unwrap_or_else(|| panic!("no admin port: {log}"));
        line.rsplit_once("address=").unwrap().1.trim().to_owned()
    }

    /// What its admin port answers: the status, and the text.
    pub async fn ask(&self, path: &str) -> (u16, String) {
        let mut connection = TcpStream::connect(self.admin()).await.unwrap();
        connection.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// What it has counted under a name of Prometheus, where the labels say this.
    pub async fn counted(&self, metric: &str, label: &str) -> f64 {
        Scraped::of(&self.ask("/metrics").await.1).reading(metric, &[label])
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to drain.
    pub fn terminate(&self) {
        signal("TERM", self.id());
    }

    /// Stops the clock for it, until it is resumed.
    pub fn pause(&self) {
        signal("STOP", self.id());
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal("CONT", self.id());
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended, if it does within the limit.
    pub async fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let limit = Instant::now() + limit;
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// Bytes of its memory that are resident.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS")
    }

    /// A line of what the kernel says of it, in bytes.
    fn status(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let kibibytes = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
        kibibytes.unwrap().trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(20_000);
            let tail = log.ceil_char_boundary(tail);
            eprintln!("--- log of process {}\n{}", self.id(), &log[tail..]);
        }
    }
}

/// The environment variable of a configuration key. Without a section it is no key, but a variable as others know it.
pub fn variable(key: &str) -> String {
    if key.contains('.') { format!("OWNERSHIP__{}", key.to_uppercase().replace('.', "__")) } else { key.to_owned() }
}

/// The first line of a pipe, which is emptied from then on so that nobody blocks on it.
fn first_line(pipe: impl Read + Send + 'static) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = String::new();
        if reader.read_line(&mut line).is_ok_and(|length| length > 0) {
            let _ = sender.send(line);
        }
        drop(sender);
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    });
    receiver.recv_timeout(START).ok()
}
