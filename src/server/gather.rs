//! Many small writes of a connection, sent as one.
//!
//! HTTP/2 writes and flushes each answer by itself, and tokio polls a connection right behind every call that has an answer for it: with
//! many calls on a connection that is a system call for each. No library gathers across flushes: they keep what a flush promises.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that wait at most. With so many the cost of a system call no longer counts.
const CAPACITY: usize = 64 * 1024;
/// Room that a connection keeps when nothing waits: as much as HTTP/2 keeps for itself.
const KEPT: usize = 16 * 1024;

/// A connection whose writes wait until it is polled again, which is behind all who are ready now: what they have to send goes with
/// them.
///
/// It is for connections that read whenever they are polled, as those of HTTP/2 do. A flush only says that somebody will write: who
/// writes has the connection polled again, and what waits is sent before it reads.
#[derive(Debug)]
pub(super) struct Gathered<T> {
    io: T,
    waiting: VecDeque<u8>,
}

impl<T> Gathered<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, waiting: VecDeque::new() }
    }
}

impl<T: AsyncWrite + Unpin> Gathered<T> {
    /// Sends what waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting.has_remaining() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, self.waiting.chunk()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.waiting.advance(sent),
            }
        }
        if self.waiting.capacity() > KEPT {
            self.waiting = VecDeque::new();
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Has as much wait as there is room for, and says how much that is.
    fn take(&mut self, parts: &[IoSlice<'_>]) -> usize {
        let before = self.waiting.len();
        for part in parts {
            let room = CAPACITY - self.waiting.len();
            self.waiting.extend(&part[..part.len().min(room)]);
        }
        self.waiting.len() - before
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A peer that takes nothing may have something to say.
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gathered<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= CAPACITY {
            ready!(self.poll_send(cx))?;
        }
        let first = self.waiting.is_empty();
        let taken = self.take(parts);
        if first && taken > 0 {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// How often a connection was to be polled again.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Woken {
        fn counted() -> (Arc<Self>, Waker) {
            let woken = Arc::new(Self::default());
            (Arc::clone(&woken), Waker::from(woken))
        }
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A wire that counts what is written to it at once.
    struct Wire {
        io: DuplexStream,
        writes: usize,
        flushes: usize,
    }

    impl AsyncRead for Wire {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Wire {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.writes += 1;
            Pin::new(&mut self.io).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Pin::new(&mut self.io).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_shutdown(cx)
        }
    }

    /// A connection, and its peer, who has not taken more than so many bytes.
    fn connection(takes: usize) -> (Gathered<Wire>, DuplexStream) {
        let (io, peer) = duplex(takes);
        (Gathered::new(Wire { io, writes: 0, flushes: 0 }), peer)
    }

    /// What the peer finds.
    fn arrived(peer: &mut DuplexStream) -> Vec<u8> {
        let mut found = Vec::new();
        // It waits for more once everything is there.
        let _ = peer.read_to_end(&mut found).now_or_never();
        found
    }

    fn read(connection: &mut Gathered<Wire>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(connection).poll_read(cx, &mut ReadBuf::new(&mut [0; 8]))
    }

    #[test]
    fn what_is_written_before_the_connection_reads_is_sent_at_once() {
        let (mut connection, mut peer) = connection(1_000);
        let mut cx = Context::from_waker(Waker::noop());
        for turn in 1..=3 {
            for part in [b"one ".as_slice(), b"two ", b"three"] {
                connection.write_all(part).now_or_never().unwrap().unwrap();
                assert!(Pin::new(&mut connection).poll_write(&mut cx, b".").is_ready());
                assert!(Pin::new(&mut connection).poll_flush(&mut cx).is_ready());
            }
            assert_eq!(arrived(&mut peer), b"", "not sent yet");
            assert!(read(&mut connection, &mut cx).is_pending());
            assert_eq!(arrived(&mut peer), b"one .two .three.");
            assert_eq!(connection.io.writes, turn);
        }
        assert!(connection.io.flushes >= 3, "something that encrypts has to send what it holds");
    }

    #[test]
    fn who_writes_first_has_the_connection_polled_again() {
        let (mut connection, _peer) = connection(1_000);
        let (woken, waker) = Woken::counted();
        let mut cx = Context::from_waker(&waker);
        for turn in 1..=2 {
            for _ in 0..3 {
                assert!(Pin::new(&mut connection).poll_write(&mut cx, b"x").is_ready());
            }
            assert_eq!(woken.0.load(Ordering::Relaxed), turn, "once for all that waits");
            let _ = read(&mut connection, &mut cx);
        }
    }

    #[test]
    fn no_more_waits_than_there_is_room_for_and_what_is_said_meanwhile_is_heard() {
        let (mut connection, mut peer) = connection(100);
        let (woken, waker) = Woken::counted();
        let mut cx = Context::from_waker(&waker);
        let sent: Vec<u8> = (0..=250).cycle().take(CAPACITY + 1_000).collect();
        let parts = [&sent[..CAPACITY - 10], &sent[CAPACITY - 10..]].map(IoSlice::new);
        let taken = Pin::new(&mut connection).poll_write_vectored(&mut cx, &parts);
        assert!(matches!(taken, Poll::Ready(Ok(CAPACITY))), "{taken:?}");
        assert!(Pin::new(&mut connection).poll_write(&mut cx, b"x").is_pending(), "the peer takes nothing");
        assert_eq!(connection.waiting.len(), CAPACITY - 100);

        assert!(peer.write_all(b"hello").now_or_never().is_some());
        assert!(read(&mut connection, &mut cx).is_ready());

        let (mut found, mut before) = (Vec::new(), woken.0.load(Ordering::Relaxed));
        while found.len() < CAPACITY {
            found.extend(arrived(&mut peer));
            let now = woken.0.load(Ordering::Relaxed);
            assert!(now > before || connection.waiting.is_empty(), "polled again once the peer has taken something");
            before = now;
            let _ = read(&mut connection, &mut cx);
        }
        assert_eq!(found, sent[..CAPACITY]);
        assert!(connection.waiting.capacity() <= KEPT, "the room is given back");
    }

    #[tokio::test]
    async fn who_shuts_down_leaves_nothing_behind() {
        let (mut connection, mut peer) = connection(4);
        connection.write_all(b"goodbye").await.unwrap();
        assert!(connection.shutdown().now_or_never().is_none(), "there is no room for all of it yet");
        let mut found = String::new();
        let (shut, read) = tokio::join!(connection.shutdown(), peer.read_to_string(&mut found));
        assert!(shut.is_ok() && read.is_ok());
        assert_eq!(found, "goodbye");
    }

    #[test]
    fn a_peer_that_is_gone_ends_the_connection() {
        let (mut connection, peer) = connection(1_000);
        let mut cx = Context::from_waker(Waker::noop());
        drop(peer);
        assert!(Pin::new(&mut connection).poll_write(&mut cx, b"x").is_ready());
        assert!(matches!(read(&mut connection, &mut cx), Poll::Ready(Err(_))));
    }
}
