//! A collector: what the service tells about itself, as somebody else hears it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, number_data_point::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::{eventually, now};

/// Everything that was exported.
#[derive(Clone, Default)]
pub struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    metrics: Arc<Mutex<Vec<Metric>>>,
    lines: Arc<Mutex<Vec<LogRecord>>>,
}

impl Collector {
    /// Starts one; returns where it listens.
    pub fn start(&self) -> String {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .add_service(MetricsServiceServer::new(self.clone()))
            .add_service(LogsServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        format!("http://{address}")
    }

    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().clone()
    }

    pub fn metrics(&self) -> Vec<Metric> {
        self.metrics.lock().clone()
    }

    pub fn lines(&self) -> Vec<LogRecord> {
        self.lines.lock().clone()
    }

    /// The calls that were counted, by method and code.
    pub fn calls(&self) -> BTreeMap<(String, String), u64> {
        let metrics = self.metrics.lock();
        let durations = metrics.iter().filter(|metric| metric.name == "rpc.server.call.duration");
        let mut calls = BTreeMap::new();
        for metric in durations {
            assert_eq!(metric.unit, "s");
            let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
            for point in &histogram.data_points {
                let attribute = |key: &str| text_of(&point.attributes, key).expect(key).to_owned();
                calls.insert((attribute("rpc.method"), attribute("rpc.response.status_code")), point.count);
            }
        }
        calls
    }
}

impl Collector {
    /// What a gauge or a counter shows from now on, over all its attributes: waits for an export that was begun after this was asked.
    pub async fn reading(&self, name: &str) -> u64 {
        let asked = now();
        let fresh = |point: &&NumberDataPoint| point.time_unix_nano as i64 / 1_000 >= asked;
        eventually(name, async || {
            let metrics = self.metrics.lock();
            let last = metrics.iter().rev().find(|metric| metric.name == name)?;
            let points = match &last.data {
                Some(Data::Gauge(gauge)) => &gauge.data_points,
                Some(Data::Sum(sum)) => &sum.data_points,
                other => panic!("{name}: {other:?}"),
            };
            let fresh: Vec<_> = points.iter().filter(fresh).collect();
            (!fresh.is_empty()).then(|| fresh.into_iter().map(value).sum())
        })
        .await
    }
}

impl Collector {
    /// Waits until a counter has counted something with an attribute of this value.
    pub async fn counts(&self, name: &str, attribute: &str) {
        let has = |point: &NumberDataPoint| {
            let mut values = point.attributes.iter().map(|attribute| format!("{:?}", attribute.value));
            value(point) > 0 && values.any(|value| value.contains(&format!("\"{attribute}\"")))
        };
        let counts = |metric: &Metric| match &metric.data {
            Some(Data::Sum(sum)) => metric.name == name && sum.data_points.iter().any(has),
            _ => false,
        };
        eventually(&format!("{name} counts {attribute}"), async || {
            self.metrics.lock().iter().any(counts).then_some(())
        })
        .await;
    }
}

/// The text that an attribute says.
fn text_of<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        other => panic!("{key}: {other:?}"),
    }
}

/// By what the readings of a metric are told apart.
pub fn attributes_of(metric: &Metric) -> BTreeSet<&str> {
    let attributes: Vec<_> = match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => gauge.data_points.iter().map(|point| &point.attributes).collect(),
        Data::Sum(sum) => sum.data_points.iter().map(|point| &point.attributes).collect(),
        Data::Histogram(histogram) => histogram.data_points.iter().map(|point| &point.attributes).collect(),
        other => panic!("{other:?}"),
    };
    attributes.into_iter().flatten().map(|attribute| attribute.key.as_str()).collect()
}

fn value(point: &NumberDataPoint) -> u64 {
    match point.value {
        Some(Value::AsInt(value)) => value.try_into().unwrap(),
        ref other => panic!("{other:?} is no number of things"),
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

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
        self.lines.lock().extend(scopes.flat_map(|scope| scope.log_records));
        Ok(Response::new(Default::default()))
    }
}
