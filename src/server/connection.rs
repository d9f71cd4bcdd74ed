//! Connections: as they come, or encrypted, with what the caller has shown.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::transport::server::{Connected, TcpIncoming};

use super::gather::Gathered;
use crate::identity::{Certificate, PROTOCOL, Peer, Tls};

/// How long a caller may take to agree on a way to encrypt.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that may be about to agree at the same time; further ones wait. Far more than honest callers make at once, so that
/// idle ones do not keep them out.
const HANDSHAKES: usize = 4096;

type Io = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection that calls come over.
pub(super) struct Connection {
    io: Gathered<Io>,
    peer: Peer,
}

/// Connections, encrypted if there is something to encrypt with. One on which the caller does not agree is dropped.
///
/// tonic would encrypt by itself, with what it was given at the start.
pub(super) fn accept(incoming: TcpIncoming, tls: Option<Arc<Tls>>) -> impl Stream<Item = io::Result<Connection>> {
    incoming
        .map(move |accepted| {
            let tls = tls.clone();
            async move {
                match (accepted, tls) {
                    (Ok(tcp), Some(tls)) => encrypted(tcp, &tls).await.map(Ok),
                    (Ok(tcp), None) => Some(Ok(Connection::new(Either::Left(tcp), Peer::default()))),
                    (Err(error), _) => Some(Err(error)),
                }
            }
        })
        .buffer_unordered(HANDSHAKES)
        .filter_map(std::future::ready)
}

async fn encrypted(tcp: TcpStream, tls: &Tls) -> Option<Connection> {
    let agreed = timeout(HANDSHAKE, TlsAcceptor::from(tls.config()).accept(tcp));
    let outcome = agreed.await.map_err(|_| io::ErrorKind::TimedOut.into()).flatten().and_then(Connection::of);
    // Anybody can make this happen, as often as they like.
    outcome
        .inspect_err(|error| tracing::debug!(error = error as &dyn std::error::Error, "no encrypted connection"))
        .ok()
}

impl Connection {
    fn of(stream: TlsStream<TcpStream>) -> io::Result<Self> {
        let session = stream.get_ref().1;
        // A caller that names no protocol at all gets through the handshake.
        if session.alpn_protocol() != Some(PROTOCOL) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let shown = session.peer_certificates().and_then(<[_]>::first).map(Certificate::read).transpose();
        let certificate = shown.map_err(io::Error::other)?;
        Ok(Self::new(Either::Right(Box::new(stream)), Peer(certificate.map(Arc::new))))
    }

    fn new(io: Io, peer: Peer) -> Self {
        Self { io: Gathered::new(io), peer }
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut Gathered<Io>> {
        Pin::new(&mut self.get_mut().io)
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
