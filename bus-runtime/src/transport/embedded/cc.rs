//! The headers `CC` and `BCC`: more routing keys of a message, read as RabbitMQ reads them.

use std::sync::Arc;

use super::errors;
use super::queue::QueueId;
use super::state::State;
use crate::envelope::{Envelope, HeaderValue, Headers};
use crate::error::Error;

const CC: &str = "CC";
/// As `CC`, but nobody who receives the message sees it.
const BCC: &str = "BCC";

/// The keys that a message is routed with beside its own.
///
/// # Errors
/// When a header is no list. What in a list is no text does not count.
pub(super) fn more_keys(headers: &Headers) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    for name in [CC, BCC] {
        match headers.get(name) {
            None => {}
            Some(HeaderValue::List(values)) => {
                keys.extend(values.iter().filter_map(HeaderValue::as_str).map(str::to_owned));
            }
            Some(_) => return Err(errors::no_list(name)),
        }
    }
    Ok(keys)
}

/// The keys of `CC`, as they are seen on a message in a queue.
pub(super) fn visible_keys(headers: &Headers) -> impl Iterator<Item = &str> {
    let values = match headers.get(CC) {
        Some(HeaderValue::List(values)) => values.as_slice(),
        _ => &[],
    };
    values.iter().filter_map(HeaderValue::as_str)
}

/// The message as queues get it.
pub(super) fn without_bcc(envelope: &Arc<Envelope>) -> Arc<Envelope> {
    if envelope.headers.get(BCC).is_none() {
        return Arc::clone(envelope);
    }
    let mut envelope = (**envelope).clone();
    envelope.headers.remove(BCC);
    Arc::new(envelope)
}

/// The message as it dies where its dead letters have a routing key of their own: the others do not count any more.
pub(super) fn forget(headers: &mut Headers) {
    headers.remove(CC);
}

impl State {
    /// Adds every queue that a message reaches by one of these keys, each once; `None` when there is no such exchange.
    pub(super) fn route_all<'k>(
        &mut self,
        exchange: &str,
        key: &str,
        more: impl IntoIterator<Item = &'k str>,
        reached: &mut Vec<QueueId>,
    ) -> Option<()> {
        self.route(exchange, key, reached)?;
        for key in more {
            let mut others = Vec::new();
            self.route(exchange, key, &mut others)?;
            others.retain(|id| !reached.contains(id));
            reached.append(&mut others);
        }
        Some(())
    }
}
