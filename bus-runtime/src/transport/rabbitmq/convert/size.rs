//! How large the content header of a message is on the wire: it has to fit into one frame.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

/// Type, channel, size and end of a frame.
const FRAME_BYTES: usize = 8;
/// Class, weight, body size and property flags of a content header.
const CONTENT_HEADER_BYTES: usize = 14;
const LENGTH_BYTES: usize = 4;
const TAG_BYTES: usize = 1;

/// The bytes that the content header takes in its frame, the frame included.
pub(in crate::transport::rabbitmq) fn header_frame_bytes(properties: &BasicProperties) -> usize {
    let texts = [
        properties.content_type(),
        properties.content_encoding(),
        properties.correlation_id(),
        properties.reply_to(),
        properties.expiration(),
        properties.message_id(),
        properties.kind(),
        properties.user_id(),
        properties.app_id(),
    ];
    let texts: usize = texts.into_iter().flatten().map(|text| 1 + text.as_str().len()).sum();
    let mode = usize::from(properties.delivery_mode().is_some());
    let priority = usize::from(properties.priority().is_some());
    let timestamp = if properties.timestamp().is_some() { 8 } else { 0 };
    let headers = properties.headers().as_ref().map_or(0, table_bytes);
    FRAME_BYTES + CONTENT_HEADER_BYTES + texts + mode + priority + timestamp + headers
}

fn table_bytes(table: &FieldTable) -> usize {
    let entries = table.inner().iter();
    LENGTH_BYTES + entries.map(|(name, value)| 1 + name.as_str().len() + value_bytes(value)).sum::<usize>()
}

fn value_bytes(value: &AMQPValue) -> usize {
    let content = match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(text) => LENGTH_BYTES + text.len(),
        AMQPValue::ByteArray(bytes) => LENGTH_BYTES + bytes.len(),
        AMQPValue::FieldArray(values) => {
            LENGTH_BYTES + values.as_slice().iter().map(value_bytes).sum::<usize>()
        }
        AMQPValue::FieldTable(table) => table_bytes(table),
    };
    TAG_BYTES + content
}
