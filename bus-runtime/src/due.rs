//! Messages that were delayed until now: from the queue `bus.due` to where they were meant to go.

use std::sync::Arc;
use std::time::Duration;

use crate::copies;
use crate::envelope::{Envelope, header};
use crate::error::ErrorKind;
use crate::hub::Hub;
use crate::names::{ExchangeName, RoutingKey};
use crate::session;
use crate::transport::{Confirmation, Incoming, Verdict};

mod refusals;

pub(crate) use refusals::Refusals;

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
    due.headers.remove(header::DUE_REFUSED);
    copies::forget_deaths(&mut due.headers);
    Some(due)
}

/// Sends one due message on. It stays in `bus.due` until the broker has confirmed it. One that the broker takes nowhere goes back
/// after a while, or when nobody has time to wait any more.
pub(crate) async fn forward(hub: Arc<Hub>, incoming: Incoming, no_time: impl Future<Output = ()>) {
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
    let due = Arc::new(due);
    let own_queue = due.exchange.is_default();
    let problem = match hub.send(Arc::clone(&due)).await {
        Ok(Confirmation::Routed) => {
            hub.refusals.forget(&due.routing_key);
            return settle(incoming, Verdict::Ack);
        }
        // A retry whose queue is gone waits for the queue to come back; an event that nobody wants is nobody's loss.
        Ok(Confirmation::Unroutable) if own_queue => "no queue takes it".to_owned(),
        Ok(Confirmation::Unroutable) => {
            let to = format!("{}:{}", due.exchange, due.routing_key);
            tracing::warn!(code = "BUS0204", %to, "nobody receives a delayed message that is due");
            return settle(incoming, Verdict::Reject);
        }
        Err(error) if error.kind() == ErrorKind::Nacked => error.to_string(),
        Err(error) => return hold(incoming, &due, &error.to_string(), no_time).await,
    };
    if let Err((incoming, problem)) = wait_for_room(&hub, incoming, &due, problem).await {
        hold(incoming, &due, &problem, no_time).await;
    }
}

/// Lets a message that its queue refuses climb down the ladder again, so that those behind it go on. Gives it back with the
/// problem when the ladder does not take it either.
async fn wait_for_room(
    hub: &Hub,
    incoming: Incoming,
    due: &Envelope,
    problem: String,
) -> Result<(), (Incoming, String)> {
    let mut again = Envelope::clone(&incoming.envelope);
    let refused = again.headers.int(header::DUE_REFUSED).and_then(|times| u32::try_from(times).ok());
    let refused = refused.unwrap_or_default().saturating_add(1);
    let pause = pause(refused);
    again.headers.set(header::DUE_REFUSED, refused);
    copies::forget_deaths(&mut again.headers);
    match hub.climb_down(again, pause.as_secs()).await {
        Ok(Confirmation::Routed) => {
            hub.refusals.note(&due.routing_key, &problem, pause);
            settle(incoming, Verdict::Ack);
            Ok(())
        }
        Ok(Confirmation::Unroutable) => Err((incoming, problem)),
        Err(error) => Err((incoming, error.to_string())),
    }
}

/// How long a message stays away from a queue that has refused it so many times before.
pub(crate) fn pause(refused: u32) -> Duration {
    Duration::from_secs(1 << refused.min(PAUSE_BITS_MAX))
}

/// At most 256 s: a hundred thousand messages that wait for room ask some four hundred times a second then.
const PAUSE_BITS_MAX: u32 = 8;

/// Puts a due message back, not at once: the broker does not take it anywhere.
async fn hold(incoming: Incoming, due: &Envelope, problem: &str, no_time: impl Future<Output = ()>) {
    let to = format!("{}:{}", due.exchange, due.routing_key);
    tracing::error!(%to, problem, "a delayed message is due and can't be sent; it stays in `bus.due`");
    tokio::select! {
        biased;
        () = no_time => {}
        () = crate::seam::sleep(HOLD) => {}
    }
    settle(incoming, Verdict::Requeue);
}

/// How long a due message rests before it is tried again.
const HOLD: Duration = Duration::from_secs(5);

fn settle(incoming: Incoming, verdict: Verdict) {
    if let Err(error) = incoming.settler.settle(verdict) {
        tracing::debug!(%error, "the broker will deliver the message again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_asks_less_and_less_often() {
        let seconds: Vec<_> =
            [0, 1, 2, 7, 8, 9, u32::MAX].iter().map(|times| pause(*times).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 128, 256, 256, 256]);
    }
}
