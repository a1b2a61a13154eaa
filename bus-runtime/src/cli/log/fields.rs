//! The fields of spans and events as the log shows them: without those that are for traces alone.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing_subscriber::field::{MakeVisitor, RecordFields, VisitOutput};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

/// What the fields begin with that tell OpenTelemetry about a span.
const FOR_TRACES: &str = "otel.";

/// Fields for people.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextFields;

/// Fields for programs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ObjectFields;

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut kept = Kept(DefaultFields::new().make_visitor(writer));
        fields.record(&mut kept);
        kept.0.finish()
    }
}

impl<'writer> FormatFields<'writer> for ObjectFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut kept = Kept(Object::default());
        fields.record(&mut kept);
        write!(writer, "{}", Value::Object(kept.0.0))
    }

    fn add_fields(
        &self,
        current: &'writer mut tracing_subscriber::fmt::FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let mut kept = Kept(Object(serde_json::from_str(&current.fields).unwrap_or_default()));
        fields.record(&mut kept);
        current.fields = Value::Object(kept.0.0).to_string();
        Ok(())
    }
}

/// Passes on what is not for traces alone.
struct Kept<V>(V);

macro_rules! keep {
    ($($method:ident: $type:ty),+) => {$(
        fn $method(&mut self, field: &Field, value: $type) {
            if !field.name().starts_with(FOR_TRACES) {
                self.0.$method(field, value);
            }
        }
    )+};
}

impl<V: Visit> Visit for Kept<V> {
    keep! {
        record_f64: f64, record_i64: i64, record_u64: u64, record_bool: bool, record_str: &str,
        record_error: &(dyn std::error::Error + 'static), record_debug: &dyn fmt::Debug
    }
}

/// Fields by their names.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Object {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}
