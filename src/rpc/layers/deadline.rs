//! Every call has a deadline: the one its caller names, at most the configured cap, else the configured default.
//!
//! tonic ends a call at the deadline its caller names, with CANCELLED and no reason of ours, and knows no default. So this layer
//! ends it a little earlier, and says why. It covers reading the request as well. A stream is covered until it begins.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Either;
use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tower::{Layer, Service};

use crate::rpc::status::Failure;

const HEADER: &str = "grpc-timeout";
/// What is kept of a deadline for the answer to get out, at most.
const LONGEST_MARGIN: Duration = Duration::from_millis(50);
/// The same as a part of the time there is.
const MARGIN_DIVISOR: u32 = 10;

/// What timers can tell apart. A deadline that is closer has passed.
const FINEST: Duration = Duration::from_millis(1);

/// When nobody waits for the answer of a call any more. In the extensions of every request.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(pub Instant);

/// The layer.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For calls that name none.
    pub default: Duration,
    /// The longest.
    pub max: Duration,
}

impl<S> Layer<S> for Deadlines {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner, deadlines: *self }
    }
}

/// A service whose calls end in time.
#[derive(Debug, Clone)]
pub struct Timed<S> {
    inner: S,
    deadlines: Deadlines,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S, Q, B> Service<Request<Q>> for Timed<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Default + Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<Boxed<Result<Response<B>, S::Error>>, Ready<Result<Response<B>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let budget = match asked_for(request.headers()) {
            Ok(asked) => asked.unwrap_or(self.deadlines.default).min(self.deadlines.max),
            Err(Malformed) => {
                let failure = Failure::field(HEADER, "must be 1 to 8 digits and one of H, M, S, m, u and n, once");
                return Either::Right(ready(Ok(Status::from(failure).into_http())));
            }
        };
        if budget < FINEST {
            return Either::Right(ready(Ok(Status::from(Failure::deadline()).into_http())));
        }
        let margin = (budget / MARGIN_DIVISOR).min(LONGEST_MARGIN);
        let end = Instant::now() + budget;
        // A handler that keeps its deadline knows better what became of the call, so it gets the first word.
        request.extensions_mut().insert(Deadline(end - margin));
        let answer = timeout_at(end - margin / 2, self.inner.call(request));
        Either::Left(Box::pin(async move {
            answer.await.unwrap_or_else(|_| Ok(Status::from(Failure::deadline()).into_http()))
        }))
    }
}

/// A deadline that cannot be read. Taking none for it would let the call outlive its caller.
#[derive(Debug, PartialEq, Eq)]
struct Malformed;

fn asked_for(headers: &HeaderMap) -> Result<Option<Duration>, Malformed> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Malformed);
    }
    value.to_str().ok().and_then(parse).ok_or(Malformed).map(Some)
}

fn parse(value: &str) -> Option<Duration> {
    let unit = value.chars().next_back()?;
    let digits = value.strip_suffix(unit)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(number * 60 * 60),
        'M' => Duration::from_secs(number * 60),
        'S' => Duration::from_secs(number),
        'm' => Duration::from_millis(number),
        'u' => Duration::from_micros(number),
        'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tonic::Code;
    use tonic::body::Body;
    use tonic_types::StatusExt;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;

    /// What a handler that never answers is answered for, and after how long.
    async fn ask(timeouts: &[&str]) -> (Status, Duration) {
        let layer = Deadlines { default: Duration::from_secs(10), max: Duration::from_secs(30) };
        let handler =
            service_fn(async |_: Request<Body>| -> Result<Response<Body>, Infallible> { std::future::pending().await });
        let mut request = Request::new(Body::empty());
        for timeout in timeouts {
            request.headers_mut().append(HEADER, timeout.parse().unwrap());
        }
        let began = Instant::now();
        let response = ServiceBuilder::new().layer(layer).service(handler).oneshot(request).await.unwrap();
        (Status::from_header_map(response.headers()).unwrap(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_shortly_before_its_deadline_and_says_so() {
        for (timeout, at_most) in [("0n", 1), ("999u", 1), ("100m", 100), ("2S", 2_000), ("99999999H", 30_000)] {
            let (status, took) = ask(&[timeout]).await;
            assert_eq!(status.code(), Code::DeadlineExceeded);
            assert_eq!(status.get_details_error_info().unwrap().reason, "DEADLINE_EXCEEDED");
            let at_most = Duration::from_millis(at_most);
            assert!(took < at_most && took >= at_most.saturating_sub(LONGEST_MARGIN), "{timeout} took {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_a_deadline_has_the_default() {
        let (status, took) = ask(&[]).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(took < Duration::from_secs(10) && took > Duration::from_secs(9), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_or_repeated_deadline_is_refused() {
        for bad in [&["-1S"][..], &["1X"], &["123456789n"], &[""], &["S"], &["1S", "2S"], &["1 S"]] {
            let (status, _) = ask(bad).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{bad:?}");
            assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, HEADER);
        }
    }
}
