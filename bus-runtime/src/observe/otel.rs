//! Exporting spans over OTLP, for `run()`: as the standard variables of OpenTelemetry say.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::error::BoxError;
use crate::seam;

/// What is left to send when the program ends.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// How long the end of the program may wait for a collector: traces are worth less than a restart in time.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// Begins to export. Must not be called inside of an async runtime.
///
/// # Errors
/// When the variables of OpenTelemetry ask for something that this build cannot do.
pub(crate) fn layer<S>(app: &str, version: Option<&str>) -> Result<OpenTelemetryLayer<S, SdkTracer>, BoxError>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(Reported { exporter, is_failing: AtomicBool::new(false) })
        .with_resource(resource(app, version))
        .build();
    let tracer = provider.tracer("bus_runtime");
    let _ = PROVIDER.set(provider);
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
    // Whether a call has failed is for its outcome to say: a handler may log an error and go on.
    Ok(layer.with_error_events_to_status(false))
}

/// Says once when nobody takes the spans, and once when somebody does again.
#[derive(Debug)]
struct Reported<E> {
    exporter: E,
    is_failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "traces can't be exported; messages are handled all the same");
            }
            Ok(()) if was_failing => tracing::info!("traces are exported again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
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
        // What could not be sent has been told by then.
        let _ = provider.shutdown_with_timeout(FLUSH_MAX);
    }
}
