//! Between our envelopes and what the wire carries.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ByteArray, FieldArray, FieldTable, LongString, ShortString};

use crate::envelope::{Envelope, HeaderValue, Headers, Properties, Text};
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, NAME_BYTES_MAX, RoutingKey};

mod size;

pub(super) use self::size::header_frame_bytes;

/// How deep tables and lists may nest in a header. RabbitMQ has no limit, but clients parse recursively: some 870 levels
/// overflow the stack of lapin and end its process.
const NESTING_MAX: usize = 64;

/// The longest expiration that RabbitMQ knows, in milliseconds: about 49 days.
const EXPIRATION_MILLIS_MAX: u128 = u32::MAX as u128;

/// `basic.deliver` and `basic.publish` say so in a property.
const PERSISTENT: u8 = 2;
const TRANSIENT: u8 = 1;

pub(super) fn short(text: &str, what: &str) -> Result<ShortString, Error> {
    ShortString::try_new(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidName,
            format!("the {what} has {} bytes, but AMQP allows at most {NAME_BYTES_MAX}", text.len()),
        )
    })
}

/// What our envelope says, as lapin's properties.
pub(super) fn to_properties(envelope: &Envelope) -> Result<BasicProperties, Error> {
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
    } = &envelope.properties;
    let mode = if *persistent { PERSISTENT } else { TRANSIENT };
    let mut properties = BasicProperties::default().with_delivery_mode(mode);
    type Setter = fn(BasicProperties, ShortString) -> BasicProperties;
    let texts: [(&Option<Text>, &str, Setter); 8] = [
        (content_type, "content type", BasicProperties::with_content_type),
        (content_encoding, "content encoding", BasicProperties::with_content_encoding),
        (correlation_id, "correlation id", BasicProperties::with_correlation_id),
        (reply_to, "reply-to", BasicProperties::with_reply_to),
        (message_id, "message id", BasicProperties::with_message_id),
        (message_type, "message type", BasicProperties::with_type),
        (user_id, "user id", BasicProperties::with_user_id),
        (app_id, "app id", BasicProperties::with_app_id),
    ];
    for (text, what, set) in texts {
        if let Some(text) = text {
            properties = set(properties, short(text, what)?);
        }
    }
    if let Some(priority) = priority {
        properties = properties.with_priority(*priority);
    }
    if let Some(expiration) = expiration {
        properties = properties.with_expiration(expiration_text(*expiration)?);
    }
    if let Some(timestamp) = timestamp {
        properties = properties.with_timestamp(seconds(*timestamp));
    }
    if !envelope.headers.is_empty() {
        properties = properties.with_headers(to_table(&envelope.headers)?);
    }
    Ok(properties)
}

fn expiration_text(expiration: Duration) -> Result<ShortString, Error> {
    let millis = expiration.as_millis();
    if millis > EXPIRATION_MILLIS_MAX {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "an expiration of {millis} ms is longer than RabbitMQ's maximum of {EXPIRATION_MILLIS_MAX} ms"
            ),
        ));
    }
    short(&millis.to_string(), "expiration")
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Our headers or arguments, as lapin's table.
pub(super) fn to_table(headers: &Headers) -> Result<FieldTable, Error> {
    table_at(headers, 0)
}

fn table_at(headers: &Headers, depth: usize) -> Result<FieldTable, Error> {
    let mut table = FieldTable::default();
    for (name, value) in headers.iter() {
        table.insert(short(name, "name of a header")?, to_value(value, depth + 1)?);
    }
    Ok(table)
}

fn to_value(value: &HeaderValue, depth: usize) -> Result<AMQPValue, Error> {
    if depth > NESTING_MAX {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("the headers nest more than {NESTING_MAX} tables and lists into each other"),
        ));
    }
    Ok(match value {
        HeaderValue::Null => AMQPValue::Void,
        HeaderValue::Bool(value) => AMQPValue::Boolean(*value),
        HeaderValue::Int(value) => AMQPValue::LongLongInt(*value),
        HeaderValue::Float(value) => AMQPValue::Double(*value),
        HeaderValue::Text(value) => AMQPValue::LongString(LongString::from(value.as_ref())),
        HeaderValue::Bytes(value) => AMQPValue::ByteArray(ByteArray::from(value.as_ref())),
        HeaderValue::Time(value) => AMQPValue::Timestamp(seconds(*value)),
        HeaderValue::List(values) => {
            let values = values.iter().map(|value| to_value(value, depth + 1));
            AMQPValue::FieldArray(FieldArray::from(values.collect::<Result<Vec<_>, _>>()?))
        }
        HeaderValue::Table(headers) => AMQPValue::FieldTable(table_at(headers, depth)?),
    })
}

/// A delivered message, as our envelope. The body is not copied.
pub(super) fn to_envelope(delivery: Delivery) -> Result<Arc<Envelope>, Error> {
    let Delivery { exchange, routing_key, properties, data, .. } = delivery;
    Ok(Arc::new(Envelope {
        exchange: ExchangeName::new(exchange.as_str())?,
        routing_key: RoutingKey::new(routing_key.as_str())?,
        headers: properties.headers().as_ref().map(from_table).unwrap_or_default(),
        properties: from_properties(&properties),
        body: Bytes::from(data),
    }))
}

fn from_properties(properties: &BasicProperties) -> Properties {
    let text = |text: &Option<ShortString>| text.as_ref().map(|text| Text::Owned(text.to_string()));
    Properties {
        content_type: text(properties.content_type()),
        content_encoding: text(properties.content_encoding()),
        persistent: *properties.delivery_mode() == Some(PERSISTENT),
        priority: *properties.priority(),
        correlation_id: text(properties.correlation_id()),
        reply_to: text(properties.reply_to()),
        // RabbitMQ refuses what is no number, but other brokers may not; it would have no effect then.
        expiration: properties
            .expiration()
            .as_ref()
            .and_then(|text| text.as_str().parse().ok())
            .map(Duration::from_millis),
        message_id: text(properties.message_id()),
        timestamp: properties.timestamp().and_then(from_seconds),
        message_type: text(properties.kind()),
        user_id: text(properties.user_id()),
        app_id: text(properties.app_id()),
    }
}

/// `None` for a time that this machine cannot express.
fn from_seconds(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

pub(super) fn from_table(table: &FieldTable) -> Headers {
    table.inner().iter().map(|(name, value)| (name.to_string(), from_value(value))).collect()
}

fn from_value(value: &AMQPValue) -> HeaderValue {
    match value {
        AMQPValue::Void => HeaderValue::Null,
        AMQPValue::Boolean(value) => HeaderValue::Bool(*value),
        AMQPValue::ShortShortInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::ShortShortUInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::ShortInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::ShortUInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::LongInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::LongUInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::LongLongInt(value) => HeaderValue::Int(*value),
        AMQPValue::Float(value) => HeaderValue::Float((*value).into()),
        AMQPValue::Double(value) => HeaderValue::Float(*value),
        AMQPValue::DecimalValue(value) => {
            HeaderValue::Float(f64::from(value.value) / 10_f64.powi(value.scale.into()))
        }
        AMQPValue::ShortString(value) => HeaderValue::Text(Text::Owned(value.to_string())),
        AMQPValue::LongString(value) => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => HeaderValue::Text(Text::Owned(text.to_owned())),
            Err(_) => HeaderValue::Bytes(Bytes::copy_from_slice(value.as_bytes())),
        },
        AMQPValue::ByteArray(value) => HeaderValue::Bytes(Bytes::copy_from_slice(value.as_slice())),
        AMQPValue::FieldArray(values) => {
            HeaderValue::List(values.as_slice().iter().map(from_value).collect())
        }
        AMQPValue::FieldTable(table) => HeaderValue::Table(from_table(table)),
        AMQPValue::Timestamp(value) => match from_seconds(*value) {
            Some(time) => HeaderValue::Time(time),
            None => HeaderValue::Null,
        },
    }
}

#[cfg(test)]
mod tests;
