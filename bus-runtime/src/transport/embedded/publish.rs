//! Publishing: into every queue that wants the message, or later when the broker is full.

use std::sync::Arc;

use super::cc;
use super::connection::Connection;
use super::errors;
use super::shared::Shared;
use super::state::State;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::seam;
use crate::transport::{Confirmation, wire};

/// Whether somebody else is first in line when the broker is full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Behind,
    First,
}

pub(super) async fn publish(
    connection: Arc<Connection>,
    envelope: Arc<Envelope>,
) -> Result<Confirmation, Error> {
    connection.check_open()?;
    wire::check(&envelope, wire::FRAME_BYTES_MAX)?;
    let shared = connection.shared();
    connection.wire().await;
    let confirmed = match shared.with(|state| state.publish(&envelope, Turn::Behind)) {
        Some(result) => result,
        None => publish_when_free(shared, &envelope).await,
    };
    if let Some(late) = seam::lateness() {
        seam::sleep(late).await;
    }
    confirmed
}

/// Waits for space, in the order of the publishers. Only the first one in line looks.
async fn publish_when_free(shared: &Arc<Shared>, envelope: &Arc<Envelope>) -> Result<Confirmation, Error> {
    let _waiting = Waiting::new(shared);
    let wait = shared.with(|state| state.limits.publish_wait);
    let turn = async {
        let _first = shared.turnstile.lock().await;
        loop {
            let space = shared.space.notified();
            if let Some(result) = shared.with(|state| state.publish(envelope, Turn::First)) {
                return result;
            }
            space.await;
        }
    };
    match tokio::time::timeout(wait, turn).await {
        Ok(result) => result,
        Err(_) => Err(errors::broker_is_full(&shared.with(|state| state.describe_load()))),
    }
}

/// Counts a publisher that waits for space.
struct Waiting<'a>(&'a Arc<Shared>);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Arc<Shared>) -> Self {
        shared.with(|state| state.publishers_waiting += 1);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.with(|state| state.publishers_waiting -= 1);
    }
}

impl State {
    /// Puts a message into every queue that wants it; `None` when the broker is full.
    fn publish(&mut self, envelope: &Arc<Envelope>, turn: Turn) -> Option<Result<Confirmation, Error>> {
        let bytes = envelope.body.len() as u64;
        if bytes > self.limits.bytes {
            return Some(Err(errors::too_large(bytes, self.limits.bytes)));
        }
        if (turn == Turn::Behind && self.publishers_waiting > 0) || self.load.is_full(&self.limits, bytes) {
            return None;
        }
        let more = match cc::more_keys(&envelope.headers) {
            Ok(more) => more,
            Err(error) => return Some(Err(error)),
        };
        let envelope = cc::without_bcc(envelope);
        let mut reached = std::mem::take(&mut self.reached);
        let more = more.iter().map(String::as_str);
        let result = match self.route_all(&envelope.exchange, &envelope.routing_key, more, &mut reached) {
            None => Err(errors::no_exchange(&envelope.exchange)),
            Some(()) if reached.is_empty() => Ok(Confirmation::Unroutable),
            Some(()) => Ok(Confirmation::Routed),
        };
        // As in RabbitMQ one queue that refuses the message makes it a nack, although others have it.
        let mut refused = None;
        for id in reached.drain(..) {
            match self.queues.get(id) {
                Some(queue) if queue.refuses(bytes) => {
                    refused = Some(errors::queue_is_full(&queue.declared.name));
                }
                _ => self.enqueue(id, Arc::clone(&envelope)),
            }
        }
        self.reached = reached;
        Some(refused.map_or(result, Err))
    }

    /// How full the broker is, in words.
    pub(super) fn describe_load(&self) -> String {
        let (load, limits) = (self.load, self.limits);
        format!(
            "holds {} messages of at most {} and {} bytes of at most {}",
            load.messages, limits.messages, load.bytes, limits.bytes
        )
    }
}
