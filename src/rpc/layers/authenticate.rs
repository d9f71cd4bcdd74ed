//! Every call is of somebody who may make it: who that is, and whether its role has the method. Health and reflection are for
//! everybody.
//!
//! The message is not read before that is known. What it names, an account or a member, is looked at by the handler.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use ownership_proto::v1::ErrorReason as Reason;
use tonic::Status;
use tower::{Layer, Service};

use crate::domain::caller::Role;
use crate::identity::{Error, Gate, Peer, Problem};
use crate::metrics;
use crate::rpc::access;
use crate::rpc::call::now;
use crate::rpc::status::{Failure, method_not_allowed};

/// The layer.
#[derive(Debug, Clone)]
pub struct Authenticate(pub Gate);

impl<S> Layer<S> for Authenticate {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Authenticated<S> {
        Authenticated { inner, gate: self.0.clone() }
    }
}

/// A service that is called by those who may.
#[derive(Debug, Clone)]
pub struct Authenticated<S> {
    inner: S,
    gate: Gate,
}

impl<S, Q, B> Service<Request<Q>> for Authenticated<S>
where
    S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    Q: Send + 'static,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        // The one that said it is ready is the one to be called.
        let next = self.inner.clone();
        let (mut inner, gate) = (std::mem::replace(&mut self.inner, next), self.gate.clone());
        Box::pin(async move {
            if !access::is_open(request.uri().path())
                && let Err(failure) = admit(&gate, &mut request).await
            {
                metrics::get().call_refused(failure.reason_name());
                return Ok(Status::from(failure).into_http());
            }
            inner.call(request).await
        })
    }
}

/// Finds out who calls, and whether it may call the method. The handler finds the caller in the extensions.
async fn admit<Q>(gate: &Gate, request: &mut Request<Q>) -> Result<(), Failure> {
    let peer = request.extensions().get::<Peer>().and_then(|peer| peer.0.as_deref());
    let caller = gate.identify(bearer(request.headers())?, peer, now()).await?;
    may_call(caller.role, request.uri().path())?;
    request.extensions_mut().insert(caller);
    Ok(())
}

fn may_call(role: Role, path: &str) -> Result<(), Failure> {
    match access::may_call(role, path) {
        Some(true) => Ok(()),
        Some(false) => Err(method_not_allowed(role, path)),
        None => Err(Failure::new(Reason::MethodUnknown, "this service or method does not exist here")),
    }
}

/// The token of a call, if it has one. A second one, or another kind of credentials, is a mistake that must not go unnoticed.
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let (scheme, token) = value.as_bytes().split_at_checked(b"Bearer ".len()).ok_or(Problem::Form)?;
    let is_one = scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty() && values.next().is_none();
    if is_one { Ok(Some(token)) } else { Err(Problem::Form.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, Error> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers).map(|token| token.map(|token| String::from_utf8(token.to_vec()).unwrap()))
    }

    #[test]
    fn a_token_stands_behind_the_word_bearer_and_stands_there_once() {
        assert_eq!(read(&[]), Ok(None));
        for good in ["Bearer abc", "bearer abc", "BEARER abc"] {
            assert_eq!(read(&[good]), Ok(Some("abc".to_owned())), "{good}");
        }
        for bad in [&["Basic YTpi"][..], &["Bearer"], &["Bearer "], &["abc"], &[""], &["Bearer a", "Bearer b"]] {
            assert_eq!(read(bad), Err(Error::Token(Problem::Form)), "{bad:?}");
        }
    }
}
