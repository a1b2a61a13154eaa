//! The body as an argument: typed, as JSON, or raw.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Arguments, FromDelivery};
use crate::delivery::{Delivery, Metadata};
use crate::envelope::Envelope;
use crate::message::Message;
use crate::outcome::{DeadLetterReason, Rejection};

/// The largest body that is decoded, in bytes: 16 MiB, RabbitMQ's own default since 4.0. A larger one is a dead letter.
pub const BODY_MAX: usize = 16 << 20;

/// How many bytes of a body that cannot be decoded are shown in the error, so that headers stay small.
const EXCERPT_MAX: usize = 200;

/// The body, decoded from JSON.
///
/// ```
/// use bus_runtime::prelude::*;
///
/// #[react("wiki.#")]
/// async fn on_wiki(data: Json) {
///     println!("{data}");
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T = Value>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl fmt::Display for Json<Value> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: DeserializeOwned> FromDelivery for Json<T> {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        decode(delivery.envelope()).map(Json)
    }

    fn describe(arguments: &mut Arguments) {
        arguments.json::<T>();
    }
}

/// The body as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl Deref for Raw {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl FromDelivery for Raw {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(Raw(delivery.envelope().body.clone()))
    }
}

impl FromDelivery for Bytes {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(delivery.envelope().body.clone())
    }
}

/// A message with what is known about it beside its body.
///
/// The body is decoded before the handler is called, not when [`payload`](Self::payload) is: a body that cannot be decoded is a
/// dead letter at once, and no handler has begun with it.
#[derive(Clone)]
pub struct MessageOf<T> {
    payload: T,
    metadata: Metadata,
}

impl<T> MessageOf<T> {
    /// The message itself.
    #[must_use]
    pub fn payload(&self) -> &T {
        &self.payload
    }

    /// The message itself, by value.
    #[must_use]
    pub fn into_payload(self) -> T {
        self.payload
    }

    /// What is known about it beside its body.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl<T: fmt::Debug> fmt::Debug for MessageOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageOf").field("payload", &self.payload).field("metadata", &self.metadata).finish()
    }
}

impl<T: Message> FromDelivery for MessageOf<T> {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(Self { payload: decode(delivery.envelope())?, metadata: delivery.metadata().clone() })
    }

    fn describe(arguments: &mut Arguments) {
        arguments.payload::<T>();
    }
}

/// Decodes a body by its content type; without one it is taken for JSON.
pub(crate) fn decode<T: DeserializeOwned>(envelope: &Envelope) -> Result<T, Rejection> {
    let body = &envelope.body;
    if body.is_empty() {
        return Err(Rejection::absent(DeadLetterReason::Decode, "the body is empty"));
    }
    if body.len() > BODY_MAX {
        let message = format!("the body is {} bytes; at most {BODY_MAX} are decoded", body.len());
        return Err(Rejection::new(DeadLetterReason::TooLarge, message));
    }
    if let Some(content_type) = foreign_content_type(envelope) {
        let message = format!("the body is `{content_type}`, not JSON");
        return Err(Rejection::new(DeadLetterReason::Decode, message));
    }
    // Decode without tracking the path first: it is the path of a body that fails which is worth the double work.
    serde_json::from_slice(body).or_else(|_| decode_with_path(body))
}

fn foreign_content_type(envelope: &Envelope) -> Option<&str> {
    let content_type = envelope.properties.content_type.as_deref()?;
    if content_type == "application/json" {
        return None;
    }
    let mime = content_type.split(';').next().unwrap_or_default().trim();
    let known = mime.is_empty()
        || mime.eq_ignore_ascii_case("application/json")
        || mime.eq_ignore_ascii_case("text/json")
        || mime.eq_ignore_ascii_case("text/plain")
        || mime.eq_ignore_ascii_case("application/octet-stream")
        || mime.to_ascii_lowercase().ends_with("+json");
    (!known).then_some(mime)
}

fn decode_with_path<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let decoded = serde_path_to_error::deserialize(&mut deserializer);
    let error = match decoded {
        Ok(value) => match deserializer.end() {
            Ok(()) => return Ok(value),
            Err(error) => error.to_string(),
        },
        Err(error) if error.path().iter().next().is_some() => {
            format!("at {}: {}", error.path(), error.inner())
        }
        Err(error) => error.into_inner().to_string(),
    };
    let wanted = short_type_name(std::any::type_name::<T>());
    let message = format!("can't decode the body as {wanted}: {error}; it begins {}", excerpt(body));
    Err(Rejection::new(DeadLetterReason::Decode, message))
}

/// The last word of a type's path, without the paths of its parameters.
fn short_type_name(name: &str) -> &str {
    let end = name.find('<').unwrap_or(name.len());
    match name[..end].rfind("::") {
        Some(at) => &name[at + 2..],
        None => name,
    }
}

/// The first bytes of a body, escaped.
fn excerpt(body: &[u8]) -> String {
    let cut = &body[..body.len().min(EXCERPT_MAX)];
    let more = if cut.len() < body.len() { " …" } else { "" };
    format!("\"{}\"{more}", cut.escape_ascii())
}
