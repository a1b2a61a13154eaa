//! Whether the broker knows of the consumers that believe to receive.
//!
//! A quorum queue that somebody deletes and makes anew within milliseconds may leave a consumer behind that nobody has told:
//! its channel stands, it believes to receive, and no message ever comes. Only the broker knows, and only when it is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::connection::{Live, REQUEST_TIMEOUT};
use super::declare::inspect;
use super::place::{Place, WeakPlace};
use crate::error::Error;
use crate::names::QueueName;

/// How long after the first look the second one is: a queue that is choosing its leader counts no consumers for a moment.
const CERTAIN_AFTER: Duration = Duration::from_secs(2);

/// The consumers of a transport, and where each of them stands.
#[derive(Debug, Default)]
pub(super) struct Attendance(Mutex<Vec<(QueueName, WeakPlace)>>);

impl Attendance {
    /// A consumer is looked after for as long as it lives.
    pub(super) fn enter(&self, queue: &QueueName, place: &Place) {
        let mut consumers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.retain(|(_, place)| place.upgrade().is_some());
        consumers.push((queue.clone(), place.downgrade()));
    }

    /// Closes the channels of consumers whose queues have none according to the broker; they consume anew then. AMQP tells how
    /// many consumers a queue has and not whose, so a consumer is missed when its queue has none at all: before that, those of
    /// other workers have its messages.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(super) async fn call(&self, live: &Live) -> Result<(), Error> {
        let mut missing = Vec::new();
        for (queue, place) in self.present() {
            if let Some(channel) = place.channel()
                && is_unheard_of(live, &queue).await?
            {
                missing.push((queue, place, channel.id()));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(CERTAIN_AFTER).await;
        for (queue, place, id) in missing {
            if !is_unheard_of(live, &queue).await? {
                continue;
            }
            // It may have been cancelled or lost in the meantime, and be where it should be.
            let Some(channel) = place.channel().filter(|channel| channel.id() == id) else { continue };
            tracing::warn!(%queue, "RabbitMQ knows of no consumer of this queue, although ours was never told that it is gone: consuming anew");
            place.leaves("RabbitMQ has forgotten the consumer");
            let _ = timeout(REQUEST_TIMEOUT, channel.close(200, "the consumer is gone".into())).await;
        }
        Ok(())
    }

    fn present(&self) -> Vec<(QueueName, Place)> {
        let consumers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().filter_map(|(queue, place)| Some((queue.clone(), place.upgrade()?))).collect()
    }
}

/// Whether the broker has no consumer of a queue. One that it does not let us look at is taken to have one.
async fn is_unheard_of(live: &Live, queue: &QueueName) -> Result<bool, Error> {
    match inspect(live, queue).await {
        Ok(state) => Ok(state.is_none_or(|state| state.consumers == 0)),
        Err(error) if live.stands() => {
            tracing::debug!(%queue, %error, "cannot look whether the queue is consumed");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
