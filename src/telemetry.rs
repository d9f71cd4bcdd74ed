//! Log, traces and metrics of the process: set up once, flushed at the end.

use std::io::{self, IsTerminal};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, fmt};

use crate::config;

/// How long the last data may take to get out when the process ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// What is not worth a line unless it is asked for: each change of the schema, each notice of the database, each
/// connection to the broker.
const QUIET: &str = "async_nats=warn,opentelemetry=warn,sea_orm_migration=warn,sqlx=warn";

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log directives cannot be read.
    #[error("telemetry.log cannot be read")]
    Directives(#[from] ParseError),
    /// The exporter cannot be made.
    #[error("telemetry.otlp_endpoint cannot be used")]
    Exporter(#[from] ExporterBuildError),
    /// The process has a log already.
    #[error("telemetry was set up twice")]
    Twice(#[from] TryInitError),
}

/// What runs in the background to get telemetry out.
#[must_use = "what is not flushed is lost"]
#[derive(Debug)]
pub struct Telemetry {
    export: Option<(SdkTracerProvider, SdkMeterProvider)>,
}

impl Telemetry {
    /// Starts to log to stderr, and to export where an endpoint is configured. Within a tokio runtime, once in a process, and
    /// before the first instrument is used.
    pub fn start(config: &config::Telemetry) -> Result<Self, Error> {
        let filter = EnvFilter::try_new(format!("{QUIET},{}", config.log))?;
        let export = config.otlp_endpoint.as_deref().map(exporters).transpose()?;
        let spans = export.as_ref().map(|(traces, _)| {
            let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("ownership"));
            spans.with_filter(filter_fn(is_exported))
        });
        tracing_subscriber::registry().with(spans).with(log(config.log_format).with_filter(filter)).try_init()?;
        if let Some((_, metrics)) = &export {
            global::set_text_map_propagator(TraceContextPropagator::new());
            global::set_meter_provider(metrics.clone());
        }
        Ok(Self { export })
    }

    /// Gets out what is not out yet.
    pub fn shutdown(self) {
        let Some((traces, metrics)) = self.export else { return };
        let lost = [traces.shutdown_with_timeout(FLUSH_LIMIT).err(), metrics.shutdown_with_timeout(FLUSH_LIMIT).err()];
        for error in lost.into_iter().flatten() {
            tracing::warn!(%error, "the last telemetry was not exported");
        }
    }
}

/// Whether a span is exported: those of the service, down to the statement, whatever is logged. Not those of the exporter, which
/// makes gRPC calls itself: they would be exported by further calls, for ever.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("ownership") && *metadata.level() <= Level::DEBUG
}

fn exporters(endpoint: &str) -> Result<(SdkTracerProvider, SdkMeterProvider), ExporterBuildError> {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name("ownership").with_attribute(version).build();
    let spans = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let metrics = MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    Ok((
        SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource.clone()).build(),
        SdkMeterProvider::builder().with_periodic_exporter(metrics).with_resource(resource).build(),
    ))
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
