//! A panic in a handler is answered as the defect it is.
//!
//! Without this layer it would tear down the connection, and with it the calls of everybody else who shares it.

use std::any::Any;

use tonic::Status;
use tonic::body::Body;
use tower_http::catch_panic::CatchPanicLayer;

use crate::rpc::status::Failure;

type Answer = fn(Box<dyn Any + Send>) -> http::Response<Body>;

/// The layer.
pub fn layer() -> CatchPanicLayer<Answer> {
    CatchPanicLayer::custom(answer as Answer)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn answer(panic: Box<dyn Any + Send>) -> http::Response<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Status::from(Failure::incident_text(text.unwrap_or("a panic without a text"))).into_http()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tonic::Code;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_as_an_incident_that_tells_nothing() {
        let handler = service_fn(async |_: http::Request<Body>| -> Result<http::Response<Body>, Infallible> {
            panic!("the secret of {}", "the handler")
        });
        let service = ServiceBuilder::new().layer(layer()).service(handler);
        let response = service.oneshot(http::Request::new(Body::empty())).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret"), "{status:?}");
    }
}
