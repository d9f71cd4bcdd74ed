//! A network between the service and Postgres, or the broker, that can be cut at the worst moment.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// What the network does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Nobody is connected, nobody gets through.
    Down,
    /// Nothing passes on connections that were open already, and nobody is told. New ones work.
    FreezeOpen,
    /// The next COMMIT reaches the database, its answer is lost, then everything passes again.
    LoseCommitAnswer,
    /// The next COMMIT reaches the database, its answer is lost, and so is everything after.
    LoseCommitAnswerAndStayDown,
    /// The next event reaches the broker, its acknowledgement is lost with the connection, then everything passes again.
    LoseAck,
}

impl Mode {
    /// What has to be sent, in capitals, for its answer to be lost.
    fn trigger(self) -> Option<&'static [u8]> {
        match self {
            Self::LoseCommitAnswer | Self::LoseCommitAnswerAndStayDown => Some(b"COMMIT\0"),
            Self::LoseAck => Some(b"HPUB LEADFLIP."),
            Self::Pass | Self::Down | Self::FreezeOpen => None,
        }
    }
}

/// The network. Gone when dropped.
pub struct Proxy {
    mode: watch::Sender<Mode>,
    url: String,
    /// A thread of its own, so that it goes on while a test waits for a process.
    runtime: Option<Runtime>,
}

impl Proxy {
    /// A network before the database of this URL.
    pub fn before(url: &str) -> Self {
        let start = url.find("://").expect("a URL") + 3;
        let end = start + url[start..].find(['/', '?']).unwrap_or(url.len() - start);
        let (credentials, host) = match url[start..end].rsplit_once('@') {
            Some((credentials, host)) => (format!("{credentials}@"), host.to_owned()),
            None => (String::new(), url[start..end].to_owned()),
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let here = listener.local_addr().unwrap();
        let (mode, _) = watch::channel(Mode::Pass);
        runtime.spawn(accept(listener, host, mode.clone()));
        Self { mode, url: format!("{}{credentials}{here}{}", &url[..start], &url[end..]), runtime: Some(runtime) }
    }

    /// Where the other side seems to be.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes what the network does.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// What the network does now.
    pub fn mode(&self) -> Mode {
        *self.mode.borrow()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: std::net::TcpListener, host: String, mode: watch::Sender<Mode>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        if *mode.borrow() == Mode::Down {
            continue;
        }
        let Ok(far) = TcpStream::connect(&host).await else { continue };
        tokio::spawn(connect(near, far, mode.clone()));
    }
}

async fn connect(near: TcpStream, far: TcpStream, mode: watch::Sender<Mode>) {
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (mute, muted) = watch::channel(false);
    let fresh = *mode.borrow() == Mode::FreezeOpen;
    let mut changed = mode.subscribe();
    tokio::select! {
        () = requests(near_read, far_write, &mode, &mute, fresh) => {}
        () = answers(far_read, near_write, &mode, muted, fresh) => {}
        _ = changed.wait_for(|mode| *mode == Mode::Down) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mode: &watch::Sender<Mode>,
    mute: &watch::Sender<bool>,
    fresh: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        unless_frozen(mode, fresh).await;
        let sent = buffer[..length].to_ascii_uppercase();
        let trigger = mode.borrow().trigger();
        if trigger.is_some_and(|trigger| sent.windows(trigger.len()).any(|bytes| bytes == trigger)) {
            mute.send_replace(true);
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mode: &watch::Sender<Mode>,
    muted: watch::Receiver<bool>,
    fresh: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        unless_frozen(mode, fresh).await;
        if *muted.borrow() {
            // The other side has answered, so it is done; nobody will hear of it.
            let stays_down = *mode.borrow() == Mode::LoseCommitAnswerAndStayDown;
            mode.send_replace(if stays_down { Mode::Down } else { Mode::Pass });
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Returns, unless the connection is one that is frozen.
async fn unless_frozen(mode: &watch::Sender<Mode>, fresh: bool) {
    let frozen = !fresh && *mode.borrow() == Mode::FreezeOpen;
    if frozen {
        std::future::pending().await
    }
}
