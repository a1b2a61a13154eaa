//! A dead letter as a line of JSON, and back, without losing anything.
//!
//! Bodies are text where they are UTF-8, else base64. In headers, texts, whole numbers, booleans, lists and null are what JSON
//! calls so; everything else is an object with one key that names its type: `{"float": 1.5}`, `{"base64": "AP8="}`,
//! `{"time": "2026-01-02T03:04:05Z"}`, `{"table": {..}}`.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::base64;
use crate::envelope::{Envelope, HeaderValue, Headers, Properties, Text};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::transport::wire;

/// The form of a record; another number is another form.
const SCHEMA: &str = "bus.dead-letter/1";
/// The last second that RFC 3339 can express, at the end of the year 9999.
const RFC3339_MAX: u64 = 253_402_300_799;
/// How deep tables and lists may nest in a header: as on the wire.
const NESTING_MAX: usize = 64;

/// A message and the queue of dead letters that it lies in.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The queue of dead letters.
    pub queue: QueueName,
    /// The message as it lies there.
    pub envelope: Envelope,
}

/// Why a text is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError(String);

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RecordError {}

fn wrong(text: impl Into<String>) -> RecordError {
    RecordError(text.into())
}

impl Record {
    /// The record as one line, without a line end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Envelope { exchange, routing_key, properties, headers, body } = &self.envelope;
        let mut record = Map::new();
        record.insert("schema".to_owned(), SCHEMA.into());
        record.insert("queue".to_owned(), self.queue.to_string().into());
        record.insert("exchange".to_owned(), exchange.to_string().into());
        record.insert("routing_key".to_owned(), routing_key.to_string().into());
        record.insert("properties".to_owned(), properties_to_json(properties));
        record.insert("headers".to_owned(), table_to_json(headers));
        match std::str::from_utf8(body) {
            Ok(text) => record.insert("body".to_owned(), text.into()),
            Err(_) => record.insert("body_base64".to_owned(), base64::encode(body).into()),
        };
        Value::Object(record).to_string()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Self, RecordError> {
        let record: Value =
            serde_json::from_str(line).map_err(|error| wrong(format!("is not JSON: {error}")))?;
        let Value::Object(mut record) = record else { return Err(wrong("is no JSON object")) };
        match record.remove("schema") {
            Some(Value::String(schema)) if schema == SCHEMA => {}
            Some(other) => return Err(wrong(format!("has the schema {other}, not \"{SCHEMA}\""))),
            None => return Err(wrong(format!("has no schema; expected \"schema\":\"{SCHEMA}\""))),
        }
        let queue = take_text(&mut record, "queue")?;
        let queue = QueueName::new(queue).map_err(|error| wrong(format!("`queue`: {error}")))?;
        let exchange = ExchangeName::new(take_text(&mut record, "exchange")?)
            .map_err(|error| wrong(format!("`exchange`: {error}")))?;
        let routing_key = RoutingKey::new(take_text(&mut record, "routing_key")?)
            .map_err(|error| wrong(format!("`routing_key`: {error}")))?;
        let properties = properties_of(record.remove("properties").unwrap_or_default())?;
        let headers = match record.remove("headers") {
            None | Some(Value::Null) => Headers::default(),
            Some(headers) => table_of(headers, "headers", 0)?,
        };
        let body = match (record.remove("body"), record.remove("body_base64")) {
            (Some(Value::String(text)), None) => Bytes::from(text),
            (None, Some(Value::String(text))) => bytes_of(&text, "body_base64")?,
            (None, None) => return Err(wrong("has neither `body` nor `body_base64`")),
            (Some(_), Some(_)) => return Err(wrong("has both `body` and `body_base64`")),
            _ => return Err(wrong("has a body that is no text")),
        };
        if let Some(unknown) = record.keys().next() {
            return Err(wrong(format!("has an unknown field `{unknown}`")));
        }
        let envelope = Envelope { exchange, routing_key, properties, headers, body };
        wire::check(&envelope, wire::FRAME_BYTES_MAX)
            .map_err(|error| wrong(format!("cannot be sent: {error}")))?;
        Ok(Self { queue, envelope })
    }
}

fn take_text(record: &mut Map<String, Value>, name: &str) -> Result<String, RecordError> {
    match record.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(wrong(format!("`{name}` is no text"))),
        None => Err(wrong(format!("has no `{name}`"))),
    }
}

fn bytes_of(text: &str, name: &str) -> Result<Bytes, RecordError> {
    base64::decode(text).map(Bytes::from).ok_or_else(|| wrong(format!("`{name}` is no base64")))
}

fn properties_to_json(properties: &Properties) -> Value {
    let Properties {
        content_type,
        content_encoding,
        persistent,
        priority,
        correlation_id,
        reply_to,
        expiration,
        message_id,
        timestamp,
        message_type,
        user_id,
        app_id,
    } = properties;
    let mut json = Map::new();
    let texts = [
        ("content_type", content_type),
        ("content_encoding", content_encoding),
        ("correlation_id", correlation_id),
        ("reply_to", reply_to),
        ("message_id", message_id),
        ("message_type", message_type),
        ("user_id", user_id),
        ("app_id", app_id),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            json.insert(name.to_owned(), text.as_ref().into());
        }
    }
    json.insert("persistent".to_owned(), (*persistent).into());
    if let Some(priority) = priority {
        json.insert("priority".to_owned(), (*priority).into());
    }
    if let Some(expiration) = expiration {
        let millis = u64::try_from(expiration.as_millis()).unwrap_or(u64::MAX);
        json.insert("expiration_ms".to_owned(), millis.into());
    }
    if let Some(timestamp) = timestamp {
        json.insert("timestamp".to_owned(), time_to_json(*timestamp));
    }
    Value::Object(json)
}

fn properties_of(json: Value) -> Result<Properties, RecordError> {
    let mut json = match json {
        Value::Null => Map::new(),
        Value::Object(json) => json,
        _ => return Err(wrong("`properties` is no JSON object")),
    };
    let mut text = |name: &str| -> Result<Option<Text>, RecordError> {
        match json.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(Text::Owned(text))),
            Some(_) => Err(wrong(format!("`properties.{name}` is no text"))),
        }
    };
    let mut properties = Properties {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        message_id: text("message_id")?,
        message_type: text("message_type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        ..Properties::default()
    };
    for (name, value) in json {
        let known = match (name.as_str(), &value) {
            ("persistent", Value::Bool(persistent)) => {
                properties.persistent = *persistent;
                Some(())
            }
            ("priority", value) => value
                .as_u64()
                .and_then(|priority| u8::try_from(priority).ok())
                .map(|priority| properties.priority = Some(priority)),
            ("expiration_ms", value) => {
                value.as_u64().map(|millis| properties.expiration = Some(Duration::from_millis(millis)))
            }
            ("timestamp", value) => time_of(value).map(|time| properties.timestamp = Some(time)),
            ("persistent", _) => None,
            _ => return Err(wrong(format!("has an unknown property `{name}`"))),
        };
        known.ok_or_else(|| wrong(format!("`properties.{name}` is {value}, which it cannot be")))?;
    }
    Ok(properties)
}

fn table_to_json(headers: &Headers) -> Value {
    Value::Object(headers.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect())
}

pub(crate) fn value_to_json(value: &HeaderValue) -> Value {
    match value {
        HeaderValue::Null => Value::Null,
        HeaderValue::Bool(value) => (*value).into(),
        HeaderValue::Int(value) => (*value).into(),
        HeaderValue::Text(text) => text.as_ref().into(),
        HeaderValue::List(values) => values.iter().map(value_to_json).collect(),
        // JSON has no infinity, and its numbers lose the last bits of some others.
        HeaderValue::Float(value) => json!({ "float": format!("{value:?}") }),
        HeaderValue::Bytes(bytes) => json!({ "base64": base64::encode(bytes) }),
        HeaderValue::Time(time) => json!({ "time": time_to_json(*time) }),
        HeaderValue::Table(table) => json!({ "table": table_to_json(table) }),
    }
}

fn table_of(json: Value, name: &str, depth: usize) -> Result<Headers, RecordError> {
    let Value::Object(json) = json else { return Err(wrong(format!("`{name}` is no JSON object"))) };
    json.into_iter()
        .map(|(key, value)| Ok((key.clone(), value_of(value, &format!("{name}.{key}"), depth + 1)?)))
        .collect::<Result<Vec<_>, RecordError>>()
        .map(Headers::from_iter)
}

fn value_of(json: Value, name: &str, depth: usize) -> Result<HeaderValue, RecordError> {
    if depth > NESTING_MAX {
        return Err(wrong(format!(
            "`{name}` nests more than {NESTING_MAX} tables and lists into each other"
        )));
    }
    Ok(match json {
        Value::Null => HeaderValue::Null,
        Value::Bool(value) => HeaderValue::Bool(value),
        Value::String(text) => HeaderValue::Text(Text::Owned(text)),
        Value::Number(number) => HeaderValue::Int(
            number
                .as_i64()
                .ok_or_else(|| wrong(format!("`{name}` is {number}, which is no whole number")))?,
        ),
        Value::Array(values) => HeaderValue::List(
            values.into_iter().map(|value| value_of(value, name, depth + 1)).collect::<Result<_, _>>()?,
        ),
        Value::Object(typed) => typed_of(typed, name, depth)?,
    })
}

fn typed_of(typed: Map<String, Value>, name: &str, depth: usize) -> Result<HeaderValue, RecordError> {
    let mut entries = typed.into_iter();
    let (Some((kind, value)), None) = (entries.next(), entries.next()) else {
        return Err(wrong(format!("`{name}` must have one key that names its type")));
    };
    let found = match (kind.as_str(), value) {
        ("float", Value::String(text)) => text.parse().ok().map(HeaderValue::Float),
        ("base64", Value::String(text)) => Some(HeaderValue::Bytes(bytes_of(&text, name)?)),
        ("time", value) => time_of(&value).map(HeaderValue::Time),
        ("table", value) => Some(HeaderValue::Table(table_of(value, name, depth)?)),
        _ => None,
    };
    found.ok_or_else(|| wrong(format!("`{name}` has a value of type `{kind}` that cannot be read")))
}

/// RFC 3339 where that can express it, else seconds since 1970.
fn time_to_json(time: SystemTime) -> Value {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) if since.as_secs() <= RFC3339_MAX => humantime::format_rfc3339(time).to_string().into(),
        Ok(since) => since.as_secs().into(),
        Err(before) => (-(i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX))).into(),
    }
}

fn time_of(json: &Value) -> Option<SystemTime> {
    if let Some(text) = json.as_str() {
        return humantime::parse_rfc3339(text).ok();
    }
    if let Some(seconds) = json.as_u64() {
        return SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    }
    SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(json.as_i64()?.unsigned_abs()))
}

#[cfg(test)]
mod tests;
