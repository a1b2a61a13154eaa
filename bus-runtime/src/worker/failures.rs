//! Telling handlers that others have failed: the event [`HandlerFailed`], when somebody listens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::call::Judged;
use super::job::Case;
use crate::envelope::{Envelope, Text, header};
use crate::hub::Hub;
use crate::message::Message;
use crate::names::RoutingKey;
use crate::outcome::{HandlerError, Outcome};
use crate::seam;
use crate::transport::Confirmation;

/// How long nobody is told after a time when nobody listened: a broker says so only about a message that was sent.
const NOBODY_LISTENS: Duration = Duration::from_secs(10);
/// Events that may be on their way at once. They are about failures, which may be many: what is beyond is only logged.
const TELLING_MAX: usize = 64;

/// A handler has failed: an event for handlers that watch others. One for each failed attempt.
///
/// It is published only when somebody listens. When nobody did, the next ten seconds are not told; while the broker is away, or
/// far behind, failures are only logged. A handler of it that fails causes no such event, and neither does anything that it
/// publishes.
///
/// ```
/// use bus_runtime::prelude::*;
/// use bus_runtime::HandlerFailed;
///
/// #[message_handler(HandlerFailed)]
/// async fn watch(failed: HandlerFailed) {
///     eprintln!("{} failed (attempt {}): {}", failed.handler, failed.attempt, failed.error);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bus_macros::Message)]
#[event("bus.handler.failed", terminal)]
#[non_exhaustive]
pub struct HandlerFailed {
    /// The handler.
    pub handler: String,
    /// Its queue.
    pub queue: String,
    /// The exchange that the message was first published to.
    pub exchange: String,
    /// The routing key that it was first published with.
    pub routing_key: String,
    /// Its id.
    pub message_id: Option<String>,
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// The text of the error and of all its sources.
    pub error: String,
    /// The Rust type of the error; `panic` and `timeout` for those.
    pub error_type: String,
}

/// Who has been told, and whether somebody listened.
#[derive(Debug)]
pub(crate) struct Telling {
    on_their_way: Arc<Semaphore>,
    nobody_until: Mutex<Option<Instant>>,
}

impl Default for Telling {
    fn default() -> Self {
        Self { on_their_way: Arc::new(Semaphore::new(TELLING_MAX)), nobody_until: Mutex::default() }
    }
}

/// Tells of a failed attempt, unless it comes from somebody having been told.
pub(super) fn tell(case: &Case, judged: &Judged) {
    let (Outcome::Failed(error), metadata) = (&judged.outcome, &case.arrival.metadata) else { return };
    let telling = &case.hub.telling;
    let nobody_until = *telling.nobody_until.lock().unwrap_or_else(PoisonError::into_inner);
    let nobody = nobody_until.is_some_and(|until| seam::now() < until);
    if nobody || metadata.headers().get(header::AFTER_FAILURE).is_some() {
        return;
    }
    let Ok(place) = Arc::clone(&telling.on_their_way).try_acquire_owned() else { return };
    let Some(event) = event(case, judged, error) else { return };
    let (hub, counted) = (Arc::clone(&case.hub), case.hub.in_flight.enter());
    seam::spawn("handler failed", async move {
        let _until_then = (place, counted);
        send(&hub, Arc::new(event)).await;
    });
}

async fn send(hub: &Hub, event: Arc<Envelope>) {
    let sent = tokio::time::timeout(NOBODY_LISTENS, hub.transport.publish(Arc::clone(&event))).await;
    match sent {
        Ok(Ok(Confirmation::Routed)) => {
            if let Some(witness) = hub.witness() {
                witness.published(&event, Confirmation::Routed);
            }
        }
        Ok(Ok(Confirmation::Unroutable)) => {
            let until = seam::now() + NOBODY_LISTENS;
            *hub.telling.nobody_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
        Ok(Err(error)) => tracing::debug!(%error, "nobody is told that a handler failed"),
        Err(_) => tracing::debug!("nobody is told that a handler failed: the broker does not answer"),
    }
}

fn event(case: &Case, judged: &Judged, error: &HandlerError) -> Option<Envelope> {
    let metadata = &case.arrival.metadata;
    let event = HandlerFailed {
        handler: judged.entry.name.clone(),
        queue: case.queue.name.to_string(),
        exchange: metadata.exchange().to_string(),
        routing_key: metadata.routing_key().to_string(),
        message_id: metadata.message_id().map(str::to_owned),
        attempt: metadata.attempt(),
        error: error.chain(),
        error_type: error.type_name().to_owned(),
    };
    let settings = &case.hub.settings;
    let exchange = settings.exchange(&settings.messages).ok()?;
    let key = RoutingKey::new(HandlerFailed::TOPIC).ok()?;
    let mut envelope = Envelope::new(exchange, key, serde_json::to_vec(&event).ok()?);
    let properties = &mut envelope.properties;
    properties.persistent = true;
    properties.content_type = Some(Text::Borrowed("application/json"));
    properties.message_id = Some(Text::Owned(seam::message_id()));
    properties.message_type = Some(Text::Borrowed(HandlerFailed::TOPIC));
    properties.timestamp = Some(seam::wall_clock());
    properties.app_id = Some(case.hub.app_id.clone());
    properties.correlation_id = metadata.correlation_id().map(|id| Text::Owned(id.to_owned()));
    envelope.headers.set(header::VERSION, HandlerFailed::VERSION);
    envelope.headers.set(header::AFTER_FAILURE, "handler");
    Some(envelope)
}
