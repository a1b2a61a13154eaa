//! The lines of the log: each says what happened and, once, which message that is about.

use std::fmt;
use std::time::SystemTime;

use serde_json::Value;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::super::clean::clean;
use super::fields::{Named, NamedFields};
use crate::seam;

/// A JSON object for each event. What the spans around it say stands beside what it says itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLines;

/// A line for people for each event.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextLines;

const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// Where the time of day stands in a time of RFC 3339: with milliseconds, and the letter that says that it is UTC.
const TIME_OF_DAY: usize = "2026-01-01T".len();

impl<S> FormatEvent<S, NamedFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, NamedFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut told = Named::default().and(event);
        let mut line = Named::default();
        line.set("timestamp", now());
        line.set("level", event.metadata().level().as_str());
        line.set("message", told.take("message").unwrap_or_default());
        line.add(told);
        let spans = around(context, event, &mut line);
        line.set("target", event.metadata().target());
        if !spans.is_empty() {
            line.set("spans", spans);
        }
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

impl<S> FormatEvent<S, NamedFields> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, NamedFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (dim, plain) = if writer.has_ansi_escapes() { (DIM, PLAIN) } else { ("", "") };
        let level = *event.metadata().level();
        let colour = if writer.has_ansi_escapes() { colour(level) } else { "" };
        let now = now();
        write!(writer, "{dim}{}{plain} {colour}{level:>5}{plain} ", now.get(TIME_OF_DAY..).unwrap_or(&now))?;
        let target = event.metadata().target();
        if !target.starts_with("bus_runtime") {
            write!(writer, "{dim}{target}:{plain} ")?;
        }
        let mut fields = Named::default().and(event);
        if let Some(message) = fields.take("message") {
            writer.write_str(&text(&message, false))?;
        }
        around(context, event, &mut fields);
        for (name, value) in fields.iter() {
            write!(writer, " {dim}{name}={plain}{}", text(value, true))?;
        }
        writer.write_char('\n')
    }
}

fn now() -> String {
    let now: SystemTime = seam::wall_clock();
    humantime::format_rfc3339_millis(now).to_string()
}

/// Adds what the spans around an event say, the innermost first, and returns their names, the outermost first.
fn around<S>(context: &FmtContext<'_, S, NamedFields>, event: &Event<'_>, line: &mut Named) -> Vec<Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut names = Vec::new();
    let mut span = context.parent_span().filter(|_| !event.is_root());
    while let Some(current) = span {
        if let Some(fields) = current.extensions().get::<FormattedFields<NamedFields>>() {
            line.add(Named::read(&fields.fields));
        }
        names.insert(0, current.name().into());
        span = current.parent();
    }
    names
}

/// A value for people: without quotes where it is one word, or where it stands alone.
fn text(value: &Value, is_among_others: bool) -> String {
    match value {
        Value::String(text) if is_among_others && (text.is_empty() || text.contains([' ', '"', '='])) => {
            clean(&format!("{text:?}")).into_owned()
        }
        Value::String(text) => clean(text).into_owned(),
        other => other.to_string(),
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}
