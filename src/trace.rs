//! Where a request stands in the trace of its caller: a plain value that outlives the span.

use std::collections::HashMap;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, global};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A span of a trace that is kept.
#[derive(Debug, Clone)]
pub struct Trace(SpanContext);

impl Trace {
    /// Where a span stands, if anybody will ever look at its trace.
    pub fn of(span: &Span) -> Option<Self> {
        if span.is_disabled() {
            return None;
        }
        let context = span.context();
        let context = context.span().span_context().clone();
        context.is_sampled().then_some(Self(context))
    }

    /// Has a span that has not begun yet go on from here: within the only one, or linked to each of several.
    pub fn lead_to(traces: &[Self], span: &Span) {
        if let [Self(only)] = traces {
            // Refused only where spans are not exported, and nobody would see the parent.
            let _ = span.set_parent(Context::new().with_remote_span_context(only.clone()));
        } else {
            traces.iter().for_each(|Self(context)| span.add_link(context.clone()));
        }
    }
}

/// Where a span stands, as headers by which others go on from there: those of W3C.
pub fn headers_of(span: &Span) -> HashMap<String, String> {
    let mut headers = HashMap::new();
    if !span.is_disabled() {
        global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut headers));
    }
    headers
}
