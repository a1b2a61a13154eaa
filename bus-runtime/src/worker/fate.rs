//! Telling whoever waits what became of a message: of a dead letter that was replayed, and of a message that was published to
//! be awaited.

use std::sync::Arc;

use super::job::Case;
use crate::envelope::{Envelope, header};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::settling::ComesBack;

/// What became of a message in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing yet: a copy of it is on its way.
    Open,
    Handled,
    Dead,
}

/// Tells the fate of a message that somebody waits for. Nobody is told about one that is not decided.
pub(super) async fn tell(case: &Case, fate: Fate) {
    tell_and_await(case, fate, Vec::new()).await;
}

/// As [`tell`], of a message of which something comes back.
pub(super) async fn tell_and_await(case: &Case, fate: Fate, comes_back: Vec<ComesBack>) {
    case.hub.settling.end(&case.arrival, comes_back, fate == Fate::Dead);
    if let Some((queue, number)) = &case.arrival.awaited {
        Box::pin(tell_replayer(case, fate, queue, *number)).await;
    }
}

async fn tell_replayer(case: &Case, fate: Fate, queue: &QueueName, number: i64) {
    let word = match fate {
        Fate::Open => return,
        Fate::Handled => "handled",
        Fate::Dead => "dead",
    };
    let Ok(key) = RoutingKey::new(queue.as_str()) else { return };
    let mut note = Envelope::new(ExchangeName::default_exchange(), key, "");
    note.headers.set(header::REPLAY, number);
    note.headers.set(header::FATE, word);
    // Whoever waited may be gone.
    if let Err(error) = case.hub.send(Arc::new(note)).await {
        tracing::debug!(%error, "nobody is told about the fate of a replayed message");
    }
}
