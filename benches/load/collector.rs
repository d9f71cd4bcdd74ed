//! Where a service exports its spans to.

use std::sync::Arc;

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status};

/// Keeps all spans. Metrics it does not take, and the service goes on without.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Starts, in this process. Returns where it listens.
    pub fn start(&self) -> Result<String> {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?;
        let url = format!("http://{}", incoming.local_addr()?);
        let server = Server::builder().add_service(TraceServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        Ok(url)
    }

    /// Everything that was exported until now.
    pub fn take(&self) -> Vec<Span> {
        std::mem::take(&mut self.spans.lock())
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        self.spans.lock().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
