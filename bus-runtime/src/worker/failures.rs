//! Telling handlers that others have failed: the event [`HandlerFailed`], when somebody listens.

use serde::{Deserialize, Serialize};

use super::call::Judged;
use super::job::Case;
use super::telling::{self, About};
use crate::outcome::Outcome;

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

/// Tells of a failed attempt, unless it comes from somebody having been told.
pub(super) fn tell(case: &Case, judged: &Judged) {
    let (Outcome::Failed(error), metadata) = (&judged.outcome, &case.arrival.metadata) else { return };
    telling::tell(&case.hub, About::Failures, metadata, || HandlerFailed {
        handler: judged.entry.name.clone(),
        queue: case.queue.name.to_string(),
        exchange: metadata.exchange().to_string(),
        routing_key: metadata.routing_key().to_string(),
        message_id: metadata.message_id().map(str::to_owned),
        attempt: metadata.attempt(),
        error: error.chain(),
        error_type: error.type_name().to_owned(),
    });
}
