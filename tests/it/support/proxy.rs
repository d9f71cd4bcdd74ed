//! A network between two programs, such as the service and Postgres, that can be cut at the worst moment, hold back or spoil what passes.

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
    /// Nothing passes, and nobody is told; it arrives late.
    Freeze,
    /// The next COMMIT is lost with its connection, then everything passes again.
    LoseCommit,
    /// The next COMMIT reaches the database, its answer is lost, then everything passes again.
    LoseCommitAnswer,
    /// The next COMMIT reaches the database, its answer is lost, and so is everything after.
    LoseCommitAnswerAndStayDown,
    /// The next acknowledgement of an event is lost with its connection, then everything passes again.
    LoseAck,
    /// The next event stays on its way, and so does all that its sender sends after it.
    HoldEvent,
    /// An event is on its way, until this is over. All other connections work.
    EventHeld,
    /// The next request that says [`LOSE_ANSWER`] reaches the service, its answer is lost, then everything passes again.
    LoseAnswer,
    /// What consumers acknowledge does not reach the broker.
    LoseAcks,
}

/// What a request of [`Mode::LoseAnswer`] says somewhere.
pub const LOSE_ANSWER: &str = "lose this answer";
/// Where consumers acknowledge, and a place of the same length where nobody listens.
const ACKS: &[u8] = b"PUB $JS.ACK.";
const NOWHERE: &[u8] = b"PUB NOWHERE.";
/// How an event begins on its way to the broker, and its acknowledgement on the way back.
const EVENT: &[u8] = b"HPUB leadflip.";
const ACK: &[u8] = b"{\"stream\":";

impl Mode {
    /// Whether the answer to what is sent is to be lost.
    fn loses_answer_to(self, sent: &[u8]) -> bool {
        match self {
            Self::LoseCommitAnswer | Self::LoseCommitAnswerAndStayDown => is_commit(sent),
            Self::LoseAnswer => contains(sent, LOSE_ANSWER.as_bytes()),
            _ => false,
        }
    }
}

/// The network. Gone when dropped.
pub struct Proxy {
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<()>,
    url: String,
    /// A thread of its own, so that it goes on while a test waits for a process.
    runtime: Option<Runtime>,
}

impl Proxy {
    /// A network before the server of this URL.
    pub fn before(url: &str) -> Self {
        Self::start(url, None)
    }

    /// One that makes nothing of a header: the other side does not know it by the name under which it arrives.
    pub fn without(header: &'static str, url: &str) -> Self {
        Self::start(url, Some(Spoiler { header: header.as_bytes(), matched: 0 }))
    }

    fn start(url: &str, spoiler: Option<Spoiler>) -> Self {
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
        let (cuts, _) = watch::channel(());
        runtime.spawn(accept(listener, host, (mode.clone(), cuts.clone()), spoiler));
        Self { mode, cuts, url: format!("{}{credentials}{here}{}", &url[..start], &url[end..]), runtime: Some(runtime) }
    }

    /// Where the other side seems to be.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes what the network does.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends every connection. New ones work.
    pub fn cut(&self) {
        self.cuts.send_replace(());
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

type Control = (watch::Sender<Mode>, watch::Sender<()>);

async fn accept(listener: std::net::TcpListener, host: String, control: Control, spoiler: Option<Spoiler>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        if *control.0.borrow() == Mode::Down {
            continue;
        }
        let Ok(far) = TcpStream::connect(&host).await else { continue };
        tokio::spawn(connect(near, far, control.clone(), spoiler.clone()));
    }
}

async fn connect(near: TcpStream, far: TcpStream, (mode, cuts): Control, spoiler: Option<Spoiler>) {
    let mut cut = cuts.subscribe();
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (mute, muted) = watch::channel(false);
    let fresh = *mode.borrow() == Mode::FreezeOpen;
    let mut changed = mode.subscribe();
    let way = Way { mode: &mode, fresh };
    tokio::select! {
        () = way.requests(near_read, far_write, &mute, spoiler) => {}
        () = way.answers(far_read, near_write, muted) => {}
        _ = changed.wait_for(|mode| *mode == Mode::Down) => {}
        _ = cut.changed() => {}
    }
}

/// One connection.
struct Way<'a> {
    mode: &'a watch::Sender<Mode>,
    /// Whether it was made while others were frozen.
    fresh: bool,
}

impl Way<'_> {
    async fn requests(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        mute: &watch::Sender<bool>,
        mut spoiler: Option<Spoiler>,
    ) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            self.unless_frozen().await;
            let sent = &mut buffer[..length];
            if let Some(spoiler) = &mut spoiler {
                spoiler.spoil(sent);
            }
            self.unless_held(sent).await;
            let mode = *self.mode.borrow();
            if mode == Mode::LoseCommit && is_commit(sent) {
                self.mode.send_replace(Mode::Pass);
                return;
            }
            if mode.loses_answer_to(sent) {
                mute.send_replace(true);
            }
            if mode == Mode::LoseAcks {
                replace(sent, ACKS, NOWHERE);
            }
            if to.write_all(sent).await.is_err() {
                return;
            }
        }
    }

    async fn answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, muted: watch::Receiver<bool>) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            self.unless_frozen().await;
            let answer = &buffer[..length];
            if *muted.borrow() {
                // The other side has answered, so it is done; nobody will hear of it.
                let stays_down = *self.mode.borrow() == Mode::LoseCommitAnswerAndStayDown;
                self.mode.send_replace(if stays_down { Mode::Down } else { Mode::Pass });
                return;
            }
            if self.changes_with(answer, ACK, (Mode::LoseAck, Mode::Pass)) {
                return;
            }
            if to.write_all(answer).await.is_err() {
                return;
            }
        }
    }

    /// Goes on from one mode to the next where this part is found in what passes: on one connection of all.
    fn changes_with(&self, passing: &[u8], part: &[u8], (from, to): (Mode, Mode)) -> bool {
        self.mode.send_if_modified(|mode| {
            let found = *mode == from && contains(passing, part);
            if found {
                *mode = to;
            }
            found
        })
    }

    /// Returns, unless the connection is one that is frozen; if all are, when they no longer are.
    async fn unless_frozen(&self) {
        self.mode.subscribe().wait_for(|mode| *mode != Mode::Freeze).await.unwrap();
        let frozen = !self.fresh && *self.mode.borrow() == Mode::FreezeOpen;
        if frozen {
            std::future::pending().await
        }
    }

    /// Returns at once, or when the event that was held may go on.
    async fn unless_held(&self, sent: &[u8]) {
        if self.changes_with(sent, EVENT, (Mode::HoldEvent, Mode::EventHeld)) {
            let mut held = self.mode.subscribe();
            held.wait_for(|mode| *mode != Mode::EventHeld).await.unwrap();
        }
    }
}

/// Puts something in the place of everything that is the same.
fn replace(bytes: &mut [u8], what: &[u8], with: &[u8]) {
    for at in 0..bytes.len().saturating_sub(what.len()) {
        if bytes[at..].starts_with(what) {
            bytes[at..at + what.len()].copy_from_slice(with);
        }
    }
}

fn is_commit(sent: &[u8]) -> bool {
    contains(&sent.to_ascii_uppercase(), b"COMMIT\0")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Changes the last letter of a header's name wherever it passes, in however many pieces. Nothing has to wait for that, and no
/// length changes.
#[derive(Clone)]
struct Spoiler {
    header: &'static [u8],
    /// How much of the name has passed. Its first letter comes once in it, so there is one way only to begin anew.
    matched: usize,
}

impl Spoiler {
    fn spoil(&mut self, sent: &mut [u8]) {
        for byte in sent {
            let goes_on = *byte == self.header[self.matched];
            self.matched = if goes_on { self.matched + 1 } else { usize::from(*byte == self.header[0]) };
            if self.matched == self.header.len() {
                (*byte, self.matched) = (b'?', 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_spoiled_in_whatever_pieces_it_passes() {
        let sent = b"HPUB a NaNats-Last: 3\r\nNats-Last: 4\r\nNats-Lost: 5";
        for length in 1..=sent.len() {
            let (mut spoiler, mut arrived) = (Spoiler { header: b"Nats-Last", matched: 0 }, sent.to_vec());
            arrived.chunks_mut(length).for_each(|piece| spoiler.spoil(piece));
            let expected = "HPUB a NaNats-Las?: 3\r\nNats-Las?: 4\r\nNats-Lost: 5";
            assert_eq!(String::from_utf8(arrived).unwrap(), expected, "in pieces of {length}");
        }
    }
}
