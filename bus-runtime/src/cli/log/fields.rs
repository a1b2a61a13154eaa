//! The fields of spans and events as the log shows them: without those that are for traces alone.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::{MakeVisitor, RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// What the fields begin with that tell OpenTelemetry about a span.
const FOR_TRACES: &str = "otel.";

/// Fields of spans as text, for events of several lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextFields;

/// Fields of spans with their names, for the lines that are put together in `lines.rs`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NamedFields;

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut kept = Kept(DefaultFields::new().make_visitor(writer));
        fields.record(&mut kept);
        kept.0.finish()
    }
}

impl<'writer> FormatFields<'writer> for NamedFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let fields = Named::default().and(fields);
        writer.write_str(&serde_json::to_string(&fields.0).map_err(|_| fmt::Error)?)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let fields = Named::read(&current.fields).and(fields);
        current.fields = serde_json::to_string(&fields.0).map_err(|_| fmt::Error)?;
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

/// Fields by their names, in the order in which they were set.
#[derive(Default)]
pub(super) struct Named(Vec<(String, Value)>);

impl Named {
    /// Reads what [`NamedFields`] has written.
    pub(super) fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// With what an event or a span says.
    pub(super) fn and(self, fields: impl RecordFields) -> Self {
        let mut kept = Kept(self);
        fields.record(&mut kept);
        kept.0
    }

    /// Sets a field, in the place of what it was.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.take(name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds what is not there already.
    pub(super) fn add(&mut self, others: Self) {
        for (name, value) in others.0 {
            if !self.0.iter().any(|(known, _)| *known == name) {
                self.0.push((name, value));
            }
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl Visit for Named {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}
