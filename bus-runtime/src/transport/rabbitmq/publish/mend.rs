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
use crate::transport::rabbitmq::declared::Declared;

/// So long is what was brought back taken to be there, and what could not be taken to be lost: many publishes miss the same thing at once, and what is deleted again
/// and again is not to be declared for every message.
const MENDED_FOR: Duration = Duration::from_secs(1);

/// Knows what was declared, and declares it again for a message that could not arrive.
#[derive(Debug)]
pub(in crate::transport::rabbitmq) struct Mender {
    declared: Arc<Declared>,
    /// Declaring is the business of this connection: the broker blocks the other one.
    link: Arc<Link>,
    /// When it was tried last, and whether that worked; whoever holds the lock is trying.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Mender {
    pub(in crate::transport::rabbitmq) fn new(declared: Arc<Declared>, link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self { declared, link, last: Mutex::new(None) })
    }

    /// Whether the message should be published once more: it did not arrive, although what was declared here would have taken
    /// it, and that is there again.
    pub(super) async fn mends(&self, envelope: &Envelope, outcome: &Result<Confirmation, Error>) -> bool {
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
        if let Some((_, worked)) = last.filter(|(at, _)| at.elapsed() < MENDED_FOR) {
            return worked;
        }
        let Ok(live) = self.link.wait(Instant::now() + REQUEST_TIMEOUT).await else { return false };
        let mended = declare::declare(&live, &way).await;
        *last = Some((Instant::now(), mended.is_ok()));
        match mended {
            Ok(()) => {
                tracing::warn!(exchange = %envelope.exchange, routing_key = %envelope.routing_key, "declared again what somebody has taken away");
                true
            }
            Err(error) => {
                tracing::warn!(%error, help = error.help(), "cannot declare again what somebody has taken away");
                false
            }
        }
    }
}
