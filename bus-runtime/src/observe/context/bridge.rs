//! Between `tracing` and OpenTelemetry. Does nothing where no layer of OpenTelemetry listens.

use std::str::FromStr;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::super::spans::Attribute;
use super::super::traces::TraceParent;
use super::TraceContext;
use crate::envelope::{Headers, header};

fn remote(context: &TraceContext) -> SpanContext {
    let state = context.state.as_deref().and_then(|state| TraceState::from_str(state).ok());
    SpanContext::new(
        TraceId::from(context.trace_id),
        SpanId::from(context.span_id),
        TraceFlags::new(context.flags),
        true,
        state.unwrap_or_default(),
    )
}

/// Lets a span belong to the trace of a message. Must come before anything that starts the span.
pub(in super::super) fn follow(span: &Span, headers: &Headers, parent: TraceParent) {
    let Some(context) = TraceContext::of(headers) else { return };
    let remote = remote(&context);
    let parent = match parent {
        TraceParent::Child => Context::new().with_remote_span_context(remote.clone()),
        TraceParent::Link => Context::new(),
    };
    // It fails where nobody listens.
    let _ = span.set_parent(parent);
    span.add_link(remote);
}

/// Lets a span point to the one that published a message.
pub(in super::super) fn link(span: &Span, headers: &Headers) {
    if let Some(context) = TraceContext::of(headers) {
        span.add_link(remote(&context));
    }
}

/// Writes a span's context into a message, in the place of what it has inherited.
pub(in super::super) fn inject(span: &Span, headers: &mut Headers) {
    let context = span.context();
    let current = context.span().span_context().clone();
    if !current.is_valid() {
        return;
    }
    let written = TraceContext {
        trace_id: u128::from_be_bytes(current.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(current.span_id().to_bytes()),
        flags: current.trace_flags().to_u8(),
        state: None,
    };
    headers.set(header::TRACEPARENT, written.to_text());
    match current.trace_state().header() {
        state if state.is_empty() => drop(headers.remove(header::TRACESTATE)),
        state => headers.set(header::TRACESTATE, state),
    }
}

/// The trace that a span belongs to, when somebody will see it.
pub(in super::super) fn sampled_trace(span: &Span) -> Option<u128> {
    let context = span.context();
    let current = context.span().span_context().clone();
    let is_seen = current.is_valid() && current.is_sampled();
    is_seen.then(|| u128::from_be_bytes(current.trace_id().to_bytes()))
}

/// Gives a span attributes that are for traces alone: no log shows them.
pub(in super::super) fn attributes<const N: usize>(
    span: &Span,
    attributes: [(&'static str, Attribute<'_>); N],
) {
    for (name, value) in attributes {
        match value {
            Attribute::Text(Some(text)) if !text.is_empty() => span.set_attribute(name, text.to_owned()),
            Attribute::Owned(text) => span.set_attribute(name, text),
            Attribute::Number(Some(number)) => span.set_attribute(name, number),
            Attribute::Flag(true) => span.set_attribute(name, true),
            Attribute::Text(_) | Attribute::Number(None) | Attribute::Flag(false) => {}
        }
    }
}
