//! One span and one measurement for each call, with the code it really ended with, also when that stands behind the body.
//!
//! Published layers look at headers only, so a stream that fails late would count as OK; and they copy every header of a request
//! into its span. Health and reflection are left out: their callers would drown everybody else's.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use ownership_proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tonic::Code;
use tower::{Layer, Service};
use tracing::{Instrument, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::trailers::{AtEnd, Watched, code};
use crate::metrics;

/// What stands for a method that the contract does not have: names of callers' choice would fill the memory of the collector.
const OTHER: &str = "_OTHER";

/// The layer.
#[derive(Debug, Clone, Copy)]
pub struct Observe;

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner }
    }
}

/// A service whose calls are observed.
#[derive(Debug, Clone)]
pub struct Observed<S> {
    inner: S,
}

/// A call that is observed until its last byte. Dropped before that, it counts as cancelled.
#[derive(Debug)]
pub struct Call {
    method: &'static str,
    began: Instant,
    span: Span,
    code: Code,
}

type Answer<B> = Response<Watched<B, Option<Call>>>;

impl<S, Q, B> Service<Request<Q>> for Observed<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Answer<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let call = Call::begin(&request);
        let span = call.as_ref().map_or_else(Span::none, |call| call.span.clone());
        let answer = self.inner.call(request).instrument(span);
        Box::pin(async move {
            let mut call = call;
            let mut response = answer.await?;
            call.trailers(response.headers_mut());
            Ok(response.map(|body| Watched::new(body, call)))
        })
    }
}

impl Call {
    fn begin<Q>(request: &Request<Q>) -> Option<Self> {
        let path = request.uri().path().strip_prefix('/').unwrap_or_default();
        if path.starts_with("grpc.health.") || path.starts_with("grpc.reflection.") {
            return None;
        }
        let method = methods().get(path).map_or(OTHER, |method| method.as_ref());
        let span = tracing::info_span!(
            "call",
            otel.name = method,
            otel.kind = "server",
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = field::Empty,
            error.type = field::Empty,
            otel.status_code = field::Empty,
        );
        if !span.is_disabled() {
            let parent = global::get_text_map_propagator(|propagator| propagator.extract(&Headers(request.headers())));
            // Refused only where spans are not exported, and nobody would see the parent.
            let _ = span.set_parent(parent);
        }
        metrics::get().call_began(method);
        Some(Self { method, began: Instant::now(), span, code: Code::Cancelled })
    }
}

impl AtEnd for Option<Call> {
    fn trailers(&mut self, trailers: &mut HeaderMap) {
        if let (Some(call), Some(code)) = (self.as_mut(), code(trailers)) {
            call.code = code;
        }
    }
}

impl Call {
    /// The code it ended with. One that nobody has told yet is the caller's doing, who has gone, unless a panic tears the call down.
    fn ended_with(&self) -> Code {
        if self.code == Code::Cancelled && std::thread::panicking() { Code::Internal } else { self.code }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = self.ended_with();
        let (name, failed) = (name_of(code), is_our_fault(code));
        self.span.record("rpc.response.status_code", name);
        if failed {
            self.span.record("error.type", name);
            self.span.record("otel.status_code", "ERROR");
        }
        metrics::get().call_ended(self.method, name, failed, self.began.elapsed());
    }
}

/// The name of a code as the semantic conventions have it.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The codes that the semantic conventions call an error of the server.
fn is_our_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The methods of the contract by their full names.
fn methods() -> &'static HashSet<Arc<str>> {
    static METHODS: OnceLock<HashSet<Arc<str>>> = OnceLock::new();
    METHODS.get_or_init(|| {
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default().file;
        files.iter().flat_map(methods_of).collect()
    })
}

fn methods_of(file: &FileDescriptorProto) -> impl Iterator<Item = Arc<str>> + '_ {
    file.service.iter().flat_map(|service| {
        let name = |method: &str| format!("{}.{}/{method}", file.package(), service.name()).into();
        service.method.iter().map(move |method| name(method.name()))
    })
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn the_methods_are_those_of_the_contract() {
        assert!(methods().contains("leadflip.ownership.v1.OwnershipService/Assign"));
        assert_eq!(methods().len(), 21);
    }

    #[test]
    fn health_and_reflection_are_not_observed_and_unknown_methods_have_one_name() {
        let call = |path: &str| Call::begin(&Request::builder().uri(path).body(()).unwrap());
        assert!(call("/grpc.health.v1.Health/Check").is_none());
        assert_eq!(
            call("/leadflip.ownership.v1.LeadService/GetLead").unwrap().method,
            "leadflip.ownership.v1.LeadService/GetLead"
        );
        assert_eq!(call("/anything/else").unwrap().method, OTHER);
    }

    #[test]
    fn a_call_that_a_panic_tears_down_is_our_fault_and_one_whose_caller_has_gone_is_not() {
        struct Torn<'a>(Call, &'a Cell<Option<Code>>);
        impl Drop for Torn<'_> {
            fn drop(&mut self) {
                self.1.set(Some(self.0.ended_with()));
            }
        }
        let ended = Cell::new(None);
        let torn = || Torn(Call::begin(&Request::builder().uri("/a/b").body(()).unwrap()).unwrap(), &ended);
        drop(torn());
        assert_eq!(ended.get(), Some(Code::Cancelled));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _torn = torn();
            panic!("within a stream");
        }));
        assert!(panic.is_err());
        assert_eq!(ended.get(), Some(Code::Internal));
    }
}
