//! What AMQP cannot carry: checked before a message is sent, the same for every transport.
//!
//! RabbitMQ answers such a message by closing the channel or the connection, which costs everybody else too.

use crate::envelope::{Envelope, HeaderValue, Headers, Properties, Text};
use crate::error::{Error, ErrorKind};
use crate::names::NAME_BYTES_MAX;

/// The largest body that RabbitMQ takes by default.
pub(crate) const BODY_BYTES_MAX: usize = 128 * 1024 * 1024;
/// The largest frame of RabbitMQ by default; properties and headers of a message have to fit into one.
pub(crate) const FRAME_BYTES_MAX: usize = 131_072;
/// How deep tables and lists may nest in a header. RabbitMQ has no limit, but clients parse recursively: some 870 levels
/// overflow the stack of lapin and end its process.
pub(crate) const NESTING_MAX: usize = 64;
/// The longest expiration that RabbitMQ knows, in milliseconds: about 49 days.
const EXPIRATION_MILLIS_MAX: u128 = u32::MAX as u128;

/// Type, channel, size and end of a frame.
const FRAME_BYTES: usize = 8;
/// Class, weight, body size and property flags of a content header.
const CONTENT_HEADER_BYTES: usize = 14;
const LENGTH_BYTES: usize = 4;
const TAG_BYTES: usize = 1;

/// Refuses a message that cannot be sent in frames of this size.
///
/// # Errors
/// [`TooLarge`](ErrorKind::TooLarge) or [`InvalidName`](ErrorKind::InvalidName).
pub(crate) fn check(envelope: &Envelope, frame_max: usize) -> Result<(), Error> {
    let length = envelope.body.len();
    if length > BODY_BYTES_MAX {
        let text = format!("the body has {length} bytes, but a broker takes at most {BODY_BYTES_MAX}");
        return Err(too_large(text).with_help("send a reference to the data"));
    }
    let header = FRAME_BYTES
        + CONTENT_HEADER_BYTES
        + properties_bytes(&envelope.properties)?
        + if envelope.headers.is_empty() { 0 } else { table_bytes(&envelope.headers, 0)? };
    if header > frame_max {
        let text = format!(
            "properties and headers take {header} bytes, but have to fit into one frame of {frame_max}"
        );
        return Err(too_large(text).with_help("put large values into the body"));
    }
    Ok(())
}

fn properties_bytes(properties: &Properties) -> Result<usize, Error> {
    let Properties {
        content_type,
        content_encoding,
        persistent: _,
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
    let texts: [(&Option<Text>, &str); 8] = [
        (content_type, "content type"),
        (content_encoding, "content encoding"),
        (correlation_id, "correlation id"),
        (reply_to, "reply-to"),
        (message_id, "message id"),
        (message_type, "message type"),
        (user_id, "user id"),
        (app_id, "app id"),
    ];
    let mut bytes = 1 + usize::from(priority.is_some()) + if timestamp.is_some() { 8 } else { 0 };
    for (text, what) in texts {
        bytes += text.as_deref().map_or(Ok(0), |text| short_bytes(text, what))?;
    }
    if let Some(expiration) = expiration {
        let millis = expiration.as_millis();
        if millis > EXPIRATION_MILLIS_MAX {
            return Err(too_large(format!(
                "an expiration of {millis} ms is longer than a broker knows, which is {EXPIRATION_MILLIS_MAX} ms"
            )));
        }
        bytes += 1 + millis.to_string().len();
    }
    Ok(bytes)
}

fn short_bytes(text: &str, what: &str) -> Result<usize, Error> {
    match text.len() {
        length if length > NAME_BYTES_MAX => Err(Error::new(
            ErrorKind::InvalidName,
            format!("the {what} has {length} bytes, but AMQP allows at most {NAME_BYTES_MAX}"),
        )),
        length => Ok(1 + length),
    }
}

fn table_bytes(headers: &Headers, depth: usize) -> Result<usize, Error> {
    headers.iter().try_fold(LENGTH_BYTES, |bytes, (name, value)| {
        Ok(bytes + short_bytes(name, "name of a header")? + value_bytes(value, depth + 1)?)
    })
}

fn value_bytes(value: &HeaderValue, depth: usize) -> Result<usize, Error> {
    if depth > NESTING_MAX {
        return Err(too_large(format!(
            "the headers nest more than {NESTING_MAX} tables and lists into each other"
        )));
    }
    let content = match value {
        HeaderValue::Null => 0,
        HeaderValue::Bool(_) => 1,
        HeaderValue::Int(_) | HeaderValue::Float(_) | HeaderValue::Time(_) => 8,
        HeaderValue::Text(text) => LENGTH_BYTES + text.len(),
        HeaderValue::Bytes(bytes) => LENGTH_BYTES + bytes.len(),
        HeaderValue::List(values) => values
            .iter()
            .try_fold(LENGTH_BYTES, |bytes, value| Ok::<_, Error>(bytes + value_bytes(value, depth + 1)?))?,
        HeaderValue::Table(table) => table_bytes(table, depth)?,
    };
    Ok(TAG_BYTES + content)
}

fn too_large(text: String) -> Error {
    Error::new(ErrorKind::TooLarge, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{ExchangeName, RoutingKey};

    fn envelope() -> Envelope {
        Envelope::new(ExchangeName::default_exchange(), RoutingKey::new("q").unwrap(), "body")
    }

    /// A frame that is just large enough is enough, and one byte less is not.
    fn header_bytes(envelope: &Envelope) -> usize {
        (0..FRAME_BYTES_MAX).find(|frame_max| check(envelope, *frame_max).is_ok()).unwrap()
    }

    #[test]
    fn sizes() {
        let plain = header_bytes(&envelope());
        assert_eq!(plain, FRAME_BYTES + CONTENT_HEADER_BYTES + 1);
        let mut with_id = envelope();
        with_id.properties.message_id = Some("12345".into());
        assert_eq!(header_bytes(&with_id), plain + 6);
        let mut with_headers = envelope();
        with_headers.headers.set("ab", 7);
        with_headers.headers.set("c", "text");
        assert_eq!(header_bytes(&with_headers), plain + 4 + (3 + 9) + (2 + 9));
    }

    #[test]
    fn nesting() {
        let nested = |depth: usize| {
            let value = (1..depth).fold(HeaderValue::Null, |value, _| HeaderValue::List(vec![value]));
            Envelope { headers: [("h", value)].into_iter().collect(), ..envelope() }
        };
        assert!(check(&nested(NESTING_MAX), FRAME_BYTES_MAX).is_ok());
        assert_eq!(check(&nested(NESTING_MAX + 1), FRAME_BYTES_MAX).unwrap_err().kind(), ErrorKind::TooLarge);
        let tables = (0..100).fold(Headers::default(), |inner, _| [("t", inner)].into_iter().collect());
        assert!(check(&Envelope { headers: tables, ..envelope() }, FRAME_BYTES_MAX).is_err());
    }
}
