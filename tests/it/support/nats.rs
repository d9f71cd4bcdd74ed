//! The broker of one test: a real nats-server with a port and a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, jetstream};
use tempfile::TempDir;

use super::eventually;
use super::sources::text;

/// How long a broker may take to accept connections on a busy machine.
const START: Duration = Duration::from_secs(20);

/// The configuration of one that keeps streams.
pub const JETSTREAM: &str = "jetstream { store_dir: \"STORE\" }";

/// A broker with a user who may do just this, and `anybody`, who may do everything. The password of both is `s3cret`.
pub fn with_user(user: &str, permissions: &str) -> String {
    format!(
        "{JETSTREAM}\nauthorization {{ users: [\n\
         {{ user: anybody, password: s3cret }}\n{{ user: {user}, password: s3cret, {permissions} }}\n] }}"
    )
}

/// The permissions that a page of the manual asks for.
pub fn permissions(page: &str) -> String {
    let manual = text(page);
    let block = manual.split("```\n").find(|block| block.starts_with("permissions {"));
    block.expect("a block of permissions").to_owned()
}

/// A broker. Killed when dropped.
pub struct Nats {
    child: Child,
    port: u16,
    directory: TempDir,
    arguments: Vec<String>,
    observer: Observer,
}

/// How a test connects.
type Observer = Box<dyn Fn() -> ConnectOptions + Send + Sync>;

impl Nats {
    /// Starts one that lets everybody in.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let (port, directory) = (free_port(), TempDir::new().unwrap());
        let mut all = vec!["--jetstream".to_owned(), "--store_dir".to_owned(), directory.path().display().to_string()];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        Self::spawned(port, directory, all)
    }

    /// Starts one with a configuration file, in which STORE stands for where it keeps its store.
    pub fn start_configured(configuration: &str) -> Self {
        let (port, directory) = (free_port(), TempDir::new().unwrap());
        write_configuration(directory.path(), configuration);
        Self::spawned(port, directory, vec!["--config".to_owned(), "configuration".to_owned()])
    }

    fn spawned(port: u16, directory: TempDir, arguments: Vec<String>) -> Self {
        let child = spawn(port, directory.path(), &arguments);
        Self { child, port, directory, arguments, observer: Box::new(ConnectOptions::new) }
    }

    /// The same, to be looked at by somebody who has to say who it is.
    pub fn observed_with(mut self, observer: impl Fn() -> ConnectOptions + Send + Sync + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Changes the configuration that it starts with from now on.
    pub fn configure(&self, configuration: &str) {
        write_configuration(self.directory.path(), configuration);
    }

    /// What goes into `events.url`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where it is for a user of [`with_user`].
    pub fn url_of(&self, user: &str) -> String {
        format!("nats://{user}:s3cret@127.0.0.1:{}", self.port)
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

    /// A copy of all it has kept. It must not run.
    pub fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        replace(&self.directory.path().join("jetstream"), &copy.path().join("jetstream"));
        copy
    }

    /// Puts it back to a copy. It must not run.
    pub fn put_back(&self, copy: &TempDir) {
        replace(&copy.path().join("jetstream"), &self.directory.path().join("jetstream"));
    }

    /// A way to it beside the service.
    pub async fn client(&self) -> Client {
        (self.observer)().connect(self.url()).await.unwrap()
    }

    /// The same, to its streams.
    pub async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client().await)
    }
}

/// Several brokers that keep streams together.
pub struct Cluster(pub Vec<Nats>);

impl Cluster {
    /// Starts so many, and waits until they have chosen one that leads.
    pub async fn start(size: usize) -> Self {
        let ports: Vec<u16> = (0..size).map(|_| free_port()).collect();
        let routes: Vec<_> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let configured = |(number, port): (usize, &u16)| {
            Nats::start_configured(&format!(
                "server_name: n{number}\njetstream {{ store_dir: \"STORE\" }}\n\
                 cluster {{ name: test, listen: \"127.0.0.1:{port}\", routes: {routes:?} }}"
            ))
        };
        let cluster = Self(ports.iter().enumerate().map(configured).collect());
        let jetstream = cluster.0[0].jetstream().await;
        eventually("the cluster is there", async || jetstream.query_account().await.ok()).await;
        cluster
    }

    /// What goes into `events.url`.
    pub fn url(&self) -> String {
        self.0.iter().map(Nats::url).collect::<Vec<_>>().join(",")
    }

    /// Which of them leads the stream, as one of them sees it.
    pub async fn leader(&self, stream: &str, witness: usize) -> usize {
        let jetstream = self.0[witness].jetstream().await;
        eventually("somebody leads the stream", async || {
            let leader = jetstream.get_stream(stream).await.ok()?.cached_info().cluster.as_ref()?.leader.clone()?;
            leader.trim_start_matches('n').parse().ok()
        })
        .await
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn write_configuration(directory: &Path, configuration: &str) {
    let configuration = configuration.replace("STORE", &directory.display().to_string());
    std::fs::write(directory.join("configuration"), configuration).unwrap();
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
    command.args(arguments).current_dir(directory);
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

fn replace(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}
