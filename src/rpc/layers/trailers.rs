//! The status of a call, which stands in the headers of an answer without a body, and behind the body otherwise.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};

/// The code in some headers or trailers, if it is there.
pub(super) fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// What is done with the trailers of an answer.
pub(super) trait AtEnd {
    /// Looks at the trailers, and may change them.
    fn trailers(&mut self, trailers: &mut HeaderMap);
}

/// A body whose trailers somebody looks at.
pub struct Watched<B, W> {
    body: B,
    watcher: W,
}

impl<B, W> Watched<B, W> {
    pub(super) fn new(body: B, watcher: W) -> Self {
        Self { body, watcher }
    }
}

impl<B: Default, W: Default> Default for Watched<B, W> {
    fn default() -> Self {
        Self::new(B::default(), W::default())
    }
}

impl<B, W> Body for Watched<B, W>
where
    B: Body + Unpin,
    W: AtEnd + Unpin,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        let mut frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            this.watcher.trailers(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
