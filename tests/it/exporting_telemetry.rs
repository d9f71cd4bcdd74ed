//! What a collector sees.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::support::*;

/// Everything that was exported.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    metrics: Arc<Mutex<Vec<Metric>>>,
}

impl Collector {
    /// Starts one; returns where it listens.
    fn start(&self) -> String {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .add_service(MetricsServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        format!("http://{address}")
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().clone()
    }

    /// The calls that were counted, by method and code.
    fn calls(&self) -> BTreeMap<(String, String), u64> {
        let metrics = self.metrics.lock();
        let durations = metrics.iter().filter(|metric| metric.name == "rpc.server.call.duration");
        let mut calls = BTreeMap::new();
        for metric in durations {
            assert_eq!(metric.unit, "s");
            let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
            for point in &histogram.data_points {
                let attribute = |key: &str| {
                    let found = point.attributes.iter().find(|attribute| attribute.key == key).expect(key);
                    format!("{:?}", found.value)
                };
                calls.insert((attribute("rpc.method"), attribute("rpc.response.status_code")), point.count);
            }
        }
        calls
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
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_metrics.into_iter().flat_map(|metrics| metrics.scope_metrics);
        self.metrics.lock().extend(scopes.flat_map(|scope| scope.metrics));
        Ok(Response::new(Default::default()))
    }
}

#[tokio::test]
async fn a_collector_sees_each_call_down_to_its_statements_and_counts_it_by_method_and_code() {
    let collector = Collector::default();
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            account.assign("L1", "anna").reason("s3cret").ok().await;
            account.assign("nosuch", "anna").refused().await.is("LEAD_NOT_FOUND");
            world.replicas[0].terminate();
            let status = world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            assert!(status.success());
            world.restart(0);
        })
        .await;
    let spans = collector.spans();
    let method = "leadflip.ownership.v1.OwnershipService/Assign";
    let call = spans.iter().find(|span| span.name == method).expect("a span of the call");
    let within = |name: &str| spans.iter().any(|span| span.name == name && span.trace_id == call.trace_id);
    for statement in ["door", "begin", "write", "commit"] {
        assert!(within(statement), "{statement} in {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    }
    assert!(!format!("{spans:?}").contains("s3cret"), "what people write is not exported");
    let calls = collector.calls();
    let counted = |code: &str| {
        let found = calls.iter().find(|((of, with), _)| of.contains(method) && with.contains(&format!("\"{code}\"")));
        found.map(|(_, count)| *count)
    };
    assert_eq!((counted("OK"), counted("NOT_FOUND")), (Some(1), Some(1)), "{calls:?}");
}
