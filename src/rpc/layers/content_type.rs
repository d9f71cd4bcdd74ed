//! Only gRPC gets in: POST with a content type of gRPC.
//!
//! tonic looks at neither, so a web page could make a browser send a form to a handler across origins without asking first.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures::future::Either;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use tower::{Layer, Service};

/// The layer.
#[derive(Debug, Clone, Copy)]
pub struct OnlyGrpc;

impl<S> Layer<S> for OnlyGrpc {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner }
    }
}

/// A service that only gRPC reaches.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
}

impl<S, Q, B> Service<Request<Q>> for Guarded<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<B>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let refused = match (request.method(), request.headers().get(CONTENT_TYPE)) {
            (&Method::POST, Some(kind)) if is_grpc(kind.as_bytes()) => return Either::Left(self.inner.call(request)),
            (&Method::POST, _) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let mut response = Response::new(B::default());
        *response.status_mut() = refused;
        Either::Right(ready(Ok(response)))
    }
}

/// `application/grpc`, whatever its parameters, or `application/grpc+proto`. Not `application/grpc-web`.
fn is_grpc(kind: &[u8]) -> bool {
    let Some(rest) = kind.strip_prefix(b"application/grpc") else { return false };
    let rest = rest.strip_prefix(b"+proto").unwrap_or(rest);
    rest.trim_ascii_start().first().is_none_or(|byte| *byte == b';')
}

#[cfg(test)]
mod tests {
    use super::is_grpc;

    #[test]
    fn only_grpc_with_protobuf_gets_in() {
        for good in ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"] {
            assert!(is_grpc(good.as_bytes()), "{good}");
        }
        for bad in
            ["", "text/plain", "application/json", "application/grpc-web", "application/grpc+json", "application/grpcx"]
        {
            assert!(!is_grpc(bad.as_bytes()), "{bad}");
        }
    }
}
