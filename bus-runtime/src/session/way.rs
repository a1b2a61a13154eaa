//! How a message comes to the handlers of its session: with a routing key more.

use crate::arrival::Arrival;
use crate::envelope::{Envelope, HeaderValue, Text, header};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::topology::naming;

/// More routing keys, which those who receive the message do not see.
const BLIND_COPY: &str = "BCC";
/// The type of the last message that comes to a handler of a session.
const LAST: &str = "bus.session.last";

/// The key by which an event comes to the handlers of its session; `None` when it is of no session, or of no type.
pub(crate) fn key(event: &Envelope) -> Option<String> {
    let session = event.headers.text(header::SESSION)?;
    Some(naming::session_key(session, event.properties.message_type.as_deref()?))
}

/// Lets a message that is published now come to its session, too: one publish, one confirm.
pub(crate) fn copy_to(envelope: &mut Envelope, key: Option<String>) {
    if let Some(key) = key {
        envelope.headers.set(BLIND_COPY, vec![HeaderValue::from(key)]);
    }
}

/// Remembers the key in a message that is delayed: on its way to then, it is for nobody.
pub(crate) fn copy_when_due(envelope: &mut Envelope, key: Option<String>) {
    if let Some(key) = key {
        envelope.headers.set(header::DUE_SESSION_KEY, key);
    }
}

/// Lets a delayed message come to its session now.
pub(crate) fn copy_as_said(due: &mut Envelope) {
    if let Some(HeaderValue::Text(key)) = due.headers.remove(header::DUE_SESSION_KEY) {
        copy_to(due, Some(key.into_owned()));
    }
}

/// A message that tells the handler of this queue: there are no more.
pub(super) fn last(queue: &QueueName) -> Option<Envelope> {
    let key = RoutingKey::new(queue.as_str()).ok()?;
    let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, "");
    envelope.properties.message_type = Some(Text::Borrowed(LAST));
    Some(envelope)
}

/// Whether there are no more.
pub(crate) fn is_last(arrival: &Arrival) -> bool {
    let envelope = &arrival.metadata.envelope;
    envelope.exchange.is_default() && envelope.properties.message_type.as_deref() == Some(LAST)
}
