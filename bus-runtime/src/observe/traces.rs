//! How traces are made.

/// How traces are made: `BUS_OTEL_SETTLE_SPANS`, `BUS_OTEL_PARENT` and the standard variables of OpenTelemetry.
///
/// ```
/// let mut config = bus_runtime::Config::default();
/// config.traces.parent = bus_runtime::TraceParent::Link;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceSettings {
    /// Whether each settlement has a span of its own.
    pub settle_spans: bool,
    /// How the span of a handler's call belongs to the one that published the message.
    pub parent: TraceParent,
    /// Whether `traceparent` and `tracestate` are read and written: `OTEL_PROPAGATORS`.
    pub propagates_context: bool,
    /// Whether `baggage` is passed on: `OTEL_PROPAGATORS`.
    pub propagates_baggage: bool,
    /// Whether `run()` exports spans, in a program that is built with the feature `otel`: when `OTEL_TRACES_EXPORTER` is
    /// `otlp` or an endpoint is set, and `OTEL_SDK_DISABLED` does not say otherwise.
    pub exports: bool,
}

/// How the span of a handler's call belongs to the one that published the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TraceParent {
    /// As its child, in the same trace. It has a link to it, too.
    #[default]
    Child,
    /// By a link alone: each call begins a trace of its own.
    Link,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self {
            settle_spans: true,
            parent: TraceParent::Child,
            propagates_context: true,
            propagates_baggage: true,
            exports: false,
        }
    }
}
