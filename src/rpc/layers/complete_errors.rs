//! Every status other than OK carries a reason of the contract, also where no handler had a say: an unknown method, bytes that are
//! no message, a message that is too large.
//!
//! tonic answers those itself, with codes of its own choice: INTERNAL for a message that cannot be read, although the client is
//! to blame, and OUT_OF_RANGE for one that is too large. Clients of the contract are promised others.

use std::task::{Context, Poll};

use futures::TryFutureExt;
use futures::future::MapOk;
use http::{HeaderMap, Request, Response};
use ownership_proto::v1::ErrorReason as Reason;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};

use super::trailers::{AtEnd, Watched, code};
use crate::rpc::status::{DOMAIN, Failure};

/// The layer.
#[derive(Debug, Clone, Copy)]
pub struct CompleteErrors {
    /// Largest request, in bytes.
    pub max_request_bytes: usize,
}

impl<S> Layer<S> for CompleteErrors {
    type Service = Completed<S>;

    fn layer(&self, inner: S) -> Completed<S> {
        Completed { inner, layer: *self }
    }
}

/// A service whose errors are complete.
#[derive(Debug, Clone)]
pub struct Completed<S> {
    inner: S,
    layer: CompleteErrors,
}

/// Completes the status in headers or trailers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Completion {
    max_request_bytes: usize,
    /// Whether the call is for one of our services, and not for one whose statuses belong to another contract.
    ours: bool,
}

type Answer<B> = Response<Watched<B, Completion>>;

impl<S, Q, B> Service<Request<Q>> for Completed<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
{
    type Response = Answer<B>;
    type Error = S::Error;
    type Future = MapOk<S::Future, Box<dyn FnOnce(Response<B>) -> Answer<B> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let foreign =
            ["/grpc.health.", "/grpc.reflection."].iter().any(|service| request.uri().path().starts_with(service));
        let mut completion = Completion { max_request_bytes: self.layer.max_request_bytes, ours: !foreign };
        let complete = move |mut response: Response<B>| {
            completion.trailers(response.headers_mut());
            response.map(|body| Watched::new(body, completion))
        };
        self.inner.call(request).map_ok(Box::new(complete))
    }
}

impl AtEnd for Completion {
    fn trailers(&mut self, trailers: &mut HeaderMap) {
        let Some(found) = code(trailers).filter(|code| *code != Code::Ok) else { return };
        if !self.ours && found != Code::Unimplemented || is_complete(trailers) {
            return;
        }
        let Some(status) = Status::from_header_map(trailers) else { return };
        trailers.remove(Status::GRPC_MESSAGE);
        // The complete status has nothing in it that a header could not hold.
        let _ = Status::from(self.failure(&status)).add_header(trailers);
    }
}

/// Whether a status has a reason of the contract. Its details were made here, so they are well-formed.
fn is_complete(trailers: &HeaderMap) -> bool {
    trailers.contains_key(Status::GRPC_STATUS_DETAILS)
        && Status::from_header_map(trailers)
            .and_then(|status| status.get_details_error_info())
            .is_some_and(|info| info.domain == DOMAIN)
}

impl Completion {
    fn failure(self, status: &Status) -> Failure {
        match status.code() {
            Code::Unimplemented if status.message().is_empty() => {
                Failure::new(Reason::MethodUnknown, "this service or method does not exist here")
            }
            Code::Unimplemented => Failure::new(Reason::MethodUnknown, status.message()),
            Code::OutOfRange | Code::ResourceExhausted => {
                let limit = self.max_request_bytes;
                let message = format!("the request is larger than {limit} bytes: split it");
                let metadata = vec![("max_bytes", limit.to_string())];
                Failure { metadata, ..Failure::new(Reason::RequestTooLarge, message) }
            }
            // Handlers fail with complete statuses only, so this is what tonic says of bytes it cannot read.
            Code::Internal | Code::InvalidArgument => {
                Failure::new(Reason::MalformedRequest, "the request is not a message of the expected type")
            }
            Code::DeadlineExceeded => Failure::deadline(),
            Code::Unavailable => Failure::unavailable(),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::DataLoss
            | Code::Unauthenticated => Failure::incident_text(status.message()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(status: Status, ours: bool) -> Status {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        Completion { max_request_bytes: 1024, ours }.trailers(&mut headers);
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn what_tonic_answers_itself_gets_the_code_and_reason_of_the_contract() {
        for (status, code, reason) in [
            (Status::unimplemented(""), Code::Unimplemented, "METHOD_UNKNOWN"),
            (Status::internal("failed to decode Protobuf message"), Code::InvalidArgument, "MALFORMED_REQUEST"),
            (
                Status::out_of_range("Error, decoded message length too large"),
                Code::ResourceExhausted,
                "REQUEST_TOO_LARGE",
            ),
            (Status::unknown("?"), Code::Internal, "INTERNAL"),
        ] {
            let status = completed(status, true);
            assert_eq!(status.code(), code);
            assert_eq!(status.get_details_error_info().unwrap().reason, reason);
            assert!(!status.message().is_empty());
        }
        let too_large = completed(Status::out_of_range(""), true).get_details_error_info().unwrap();
        assert_eq!(too_large.metadata["max_bytes"], "1024");
    }

    #[test]
    fn a_complete_status_and_ok_stay_as_they_are() {
        let status = Status::from(Failure::field("lead_id", "must be set"));
        assert_eq!(completed(status.clone(), true).details(), status.details());
        assert_eq!(completed(Status::ok(""), true).details(), b"");
    }

    #[test]
    fn a_status_of_another_contract_stays_as_it_is_but_for_unknown_methods() {
        assert_eq!(completed(Status::not_found("service not registered"), false).details(), b"");
        assert_eq!(
            completed(Status::unimplemented(""), false).get_details_error_info().unwrap().reason,
            "METHOD_UNKNOWN"
        );
    }
}
