//! Messages that were delayed until now: from the queue `bus.due` to where they were meant to go.

use std::sync::Arc;

use crate::copies;
use crate::envelope::{Envelope, header};
use crate::error::Error;
use crate::hub::Hub;
use crate::names::{ExchangeName, RoutingKey};
use crate::session;
use crate::transport::{Confirmation, Incoming, Verdict};

/// Writes the destination of a message into its headers, before it enters the ladder.
pub(crate) fn address(envelope: &mut Envelope) {
    envelope.headers.set(header::DUE_EXCHANGE, envelope.exchange.to_string());
    envelope.headers.set(header::DUE_ROUTING_KEY, envelope.routing_key.to_string());
}

/// The message as it was before it entered the ladder; `None` when it never was in there.
fn addressed(envelope: &Envelope) -> Option<Envelope> {
    let exchange = ExchangeName::new(envelope.headers.text(header::DUE_EXCHANGE)?).ok()?;
    let routing_key = RoutingKey::new(envelope.headers.text(header::DUE_ROUTING_KEY)?).ok()?;
    let mut due = Envelope { exchange, routing_key, ..envelope.clone() };
    session::copy_as_said(&mut due);
    due.headers.remove(header::DUE_EXCHANGE);
    due.headers.remove(header::DUE_ROUTING_KEY);
    copies::forget_deaths(&mut due.headers);
    Some(due)
}

/// Sends one due message on. It stays in `bus.due` until the broker has confirmed it.
pub(crate) async fn forward(hub: Arc<Hub>, incoming: Incoming) {
    if let Some(defect) = &incoming.defect {
        tracing::error!(defect, "a message in `bus.due` cannot be read; it is rejected");
        settle(incoming, Verdict::Reject);
        return;
    }
    let Some(due) = addressed(&incoming.envelope) else {
        tracing::error!(queue = %incoming.envelope.routing_key, "a message without a destination is in `bus.due`; it is rejected");
        settle(incoming, Verdict::Reject);
        return;
    };
    let to = format!("{}:{}", due.exchange, due.routing_key);
    let own_queue = due.exchange.is_default();
    match hub.send(Arc::new(due)).await {
        Ok(Confirmation::Routed) => settle(incoming, Verdict::Ack),
        // A retry whose queue is gone waits for the queue to come back; an event that nobody wants is nobody's loss.
        Ok(Confirmation::Unroutable) if own_queue => hold(incoming, &to, None).await,
        Ok(Confirmation::Unroutable) => {
            tracing::warn!(code = "BUS0204", %to, "nobody receives a delayed message that is due");
            settle(incoming, Verdict::Reject);
        }
        Err(error) => hold(incoming, &to, Some(error)).await,
    }
}

/// Puts a due message back, not at once: its destination is not there.
async fn hold(incoming: Incoming, to: &str, error: Option<Error>) {
    tracing::error!(%to, error = error.map(tracing::field::display), "a delayed message is due and can't be sent; it stays in `bus.due`");
    crate::seam::sleep(HOLD).await;
    settle(incoming, Verdict::Requeue);
}

/// How long a due message rests before it is tried again.
const HOLD: std::time::Duration = std::time::Duration::from_secs(5);

fn settle(incoming: Incoming, verdict: Verdict) {
    if let Err(error) = incoming.settler.settle(verdict) {
        tracing::debug!(%error, "the broker will deliver the message again");
    }
}
