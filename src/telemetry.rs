//! Log, traces and metrics of the process: set up once, flushed at the end.

use std::io::{self, IsTerminal};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::TextEncoder;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, fmt};

use crate::config::{self, Config};

/// How long the last data may take to get out when the process ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// What is not worth a line unless it is asked for: each change of the schema, each notice of the database, each
/// connection to the broker.
const QUIET: &str = "async_nats=warn,opentelemetry=warn,sea_orm_migration=warn,sqlx=warn";

/// What the exporter is made of. Whatever it logs would be exported by further calls, for ever.
const EXPORTER: [&str; 5] = ["opentelemetry", "tonic", "hyper", "h2", "tower"];

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log directives cannot be read.
    #[error("telemetry.log cannot be read")]
    Directives(#[from] ParseError),
    /// The exporter cannot be made.
    #[error("telemetry.otlp_endpoint cannot be used")]
    Exporter(#[from] ExporterBuildError),
    /// The metrics cannot be made ready to be scraped.
    #[error("the metrics cannot be scraped")]
    Scrape(#[from] OTelSdkError),
    /// The process has a log already.
    #[error("telemetry was set up twice")]
    Twice(#[from] TryInitError),
}

/// What runs in the background to get telemetry out.
#[must_use = "what is not flushed is lost"]
#[derive(Debug)]
pub struct Telemetry {
    metrics: SdkMeterProvider,
    export: Option<Export>,
}

/// What is sent to a collector, beside the metrics.
#[derive(Debug)]
struct Export {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

impl Telemetry {
    /// Starts to log to stderr, to export where an endpoint is configured, and to measure for whoever scrapes the admin port. Within
    /// a tokio runtime, once in a process, and before the first instrument is used.
    pub fn start(config: &Config) -> Result<Self, Error> {
        let Config { telemetry, admin, .. } = config;
        let filter = || EnvFilter::try_new(format!("{QUIET},{}", telemetry.log));
        let endpoint = telemetry.otlp_endpoint.as_deref();
        let metrics = metrics(endpoint, admin.enabled)?;
        let export = endpoint.map(Export::to).transpose()?;
        let spans = export.as_ref().map(|Export { traces, .. }| {
            let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("ownership"));
            spans.with_filter(filter_fn(is_exported))
        });
        let lines = export.as_ref().map(|Export { logs, .. }| OpenTelemetryTracingBridge::new(logs));
        let lines = lines.map(|lines| Ok::<_, ParseError>(lines.with_filter(filter()?.and(filter_fn(is_told)))));
        let log = log(telemetry.log_format).with_filter(filter()?);
        tracing_subscriber::registry().with(spans).with(lines.transpose()?).with(log).try_init()?;
        global::set_meter_provider(metrics.clone());
        if export.is_some() {
            global::set_text_map_propagator(TraceContextPropagator::new());
        }
        Ok(Self { metrics, export })
    }

    /// Gets out what is not out yet.
    pub fn shutdown(self) {
        let Self { metrics, export } = self;
        let Some(Export { traces, logs }) = export else { return };
        let lost = [traces.shutdown_with_timeout(FLUSH_LIMIT), metrics.shutdown_with_timeout(FLUSH_LIMIT)];
        for error in lost.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "the last telemetry was not exported");
        }
        // Last, for the line above. If this fails there is nowhere to say so but on stderr, where the lines are anyway.
        let _ = logs.shutdown_with_timeout(FLUSH_LIMIT);
    }
}

/// The readings of all instruments, as Prometheus has them.
pub fn scrape() -> String {
    // What the exporter hands over can always be written.
    TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap_or_default()
}

/// Whether a span is exported: those of the service, down to the statement, whatever is logged. Not those of the exporter, which
/// makes gRPC calls itself.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("ownership") && *metadata.level() <= Level::DEBUG
}

/// Whether a line of the log is exported.
fn is_told(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    !EXPORTER.iter().any(|own| root.starts_with(own))
}

fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_service_name("ownership").with_attribute(version).build()
}

/// Metrics for a collector, for Prometheus, for both or for nobody.
fn metrics(endpoint: Option<&str>, scraped: bool) -> Result<SdkMeterProvider, Error> {
    let mut metrics = SdkMeterProvider::builder().with_resource(resource());
    if let Some(endpoint) = endpoint {
        metrics =
            metrics.with_periodic_exporter(MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?);
    }
    if scraped {
        // Into the registry of the process, where `scrape` finds them.
        let registry = prometheus::default_registry().clone();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry).scope_info_enabled(false);
        metrics = metrics.with_reader(exporter.build()?);
    }
    Ok(metrics.build())
}

impl Export {
    fn to(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let spans = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        let lines = LogExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        Ok(Self {
            traces: SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource()).build(),
            logs: SdkLoggerProvider::builder().with_batch_exporter(lines).with_resource(resource()).build(),
        })
    }
}

fn log<S>(format: config::LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(io::stderr);
    match format {
        config::LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        config::LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}
