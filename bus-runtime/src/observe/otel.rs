//! Exporting spans over OTLP, for `run()`: as the standard variables of OpenTelemetry say.

use std::sync::OnceLock;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::error::BoxError;
use crate::seam;

/// What is left to send when the program ends.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Begins to export. Must not be called inside of an async runtime.
///
/// # Errors
/// When the variables of OpenTelemetry ask for something that this build cannot do.
pub(crate) fn layer<S>(app: &str, version: Option<&str>) -> Result<OpenTelemetryLayer<S, SdkTracer>, BoxError>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let exporter = SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource(app, version))
        .build();
    let tracer = provider.tracer("bus_runtime");
    let _ = PROVIDER.set(provider);
    Ok(tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false))
}

/// What runs here. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
fn resource(app: &str, version: Option<&str>) -> Resource {
    let said = Resource::builder().build();
    let key = Key::from_static_str("service.name");
    let is_named = said.get(&key).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut own = vec![
        KeyValue::new("service.instance.id", seam::message_id()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    own.extend(version.map(|version| KeyValue::new("service.version", version.to_owned())));
    own.retain(|attribute| said.get(&attribute.key).is_none());
    if !is_named {
        own.push(KeyValue::new("service.name", app.to_owned()));
    }
    Resource::builder().with_attributes(own).build()
}

/// Sends what is left, and ends.
pub(crate) fn finish() {
    if let Some(provider) = PROVIDER.get() {
        // It logs by itself what could not be sent.
        let _ = provider.shutdown();
    }
}
