//! Brings back what a message needs to arrive, when somebody has taken it away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::transport::Confirmation;
use crate::transport::rabbitmq::connection::{Link, REQUEST_TIMEOUT};
use crate::transport::rabbitmq::declare;
use crate::transport::rabbitmq::declared::{Declared, parts};

/// What is taken away again and again, or cannot be brought back, is not declared for every message.
const PAUSE: Duration = Duration::from_millis(100);

/// Knows what was declared, and declares it again for a message that could not arrive.
#[derive(Debug)]
pub(in crate::transport::rabbitmq) struct Mender {
    declared: Arc<Declared>,
    /// Declaring is the business of this connection: the broker blocks the other one.
    link: Arc<Link>,
    /// When it was done last; whoever holds the lock is doing it.
    last: Mutex<Option<Instant>>,
}

impl Mender {
    pub(in crate::transport::rabbitmq) fn new(declared: Arc<Declared>, link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self { declared, link, last: Mutex::new(None) })
    }

    /// Whether the message should be published once more: published at this time it did not arrive, although what was declared
    /// here would have taken it, and that is there again.
    pub(super) async fn mends(
        &self,
        envelope: &Envelope,
        published_at: Instant,
        outcome: &Result<Confirmation, Error>,
    ) -> bool {
        let did_not_arrive = match outcome {
            Ok(Confirmation::Unroutable) => true,
            Ok(Confirmation::Routed) => false,
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if !did_not_arrive {
            return false;
        }
        let Some(way) = self.declared.way_of(&envelope.exchange, &envelope.routing_key) else { return false };
        let mut last = self.last.lock().await;
        if let Some(done) = *last {
            // Many publishes miss the same thing at once.
            if done >= published_at {
                return true;
            }
            tokio::time::sleep_until(done + PAUSE).await;
        }
        let Ok(live) = self.link.wait(Instant::now() + REQUEST_TIMEOUT).await else { return false };
        tracing::warn!(exchange = %envelope.exchange, routing_key = %envelope.routing_key, "somebody has taken away what the message needs to arrive: declaring it again");
        if declare::declare(&live, &way).await.is_err() {
            // A queue that is on its way back must not keep the others away.
            for part in parts(way) {
                if let Err(error) = declare::declare(&live, &part).await {
                    tracing::debug!(%error, "cannot declare it again yet");
                }
            }
        }
        *last = Some(Instant::now());
        true
    }
}
