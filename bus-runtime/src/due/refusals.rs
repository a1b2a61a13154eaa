//! Queues that refuse what is sent to them: what the log and people who ask are told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::names::RoutingKey;
use crate::seam;

/// How long nothing more is logged about a queue: thousands of messages may ask it.
const LOG_EVERY: Duration = Duration::from_secs(30);
/// How late a message may come back from the ladder before nobody knows whether its queue has room now: another process may
/// have sent it on.
const LATE: Duration = Duration::from_secs(10);
/// Queues that are remembered; a worker has two for each handler. What is told of others is logged only.
const QUEUES_MAX: usize = 4096;

/// The queues that have refused a message when they were asked last.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<RoutingKey, Refusal>>);

#[derive(Debug)]
struct Refusal {
    /// Nobody asks again before; after it, what is known is too old.
    known_until: Instant,
    logged: Instant,
}

impl Refusals {
    /// A queue has refused a message, which comes back to it after a pause.
    pub(crate) fn note(&self, queue: &RoutingKey, problem: &str, pause: Duration) {
        let now = seam::now();
        let mut queues = self.lock();
        if queues.len() >= QUEUES_MAX {
            queues.retain(|_, refusal| now < refusal.known_until);
        }
        let logged = queues.get(queue).map(|refusal| refusal.logged).filter(|at| now < *at + LOG_EVERY);
        if queues.len() < QUEUES_MAX || queues.contains_key(queue) {
            let refusal = Refusal { known_until: now + pause + LATE, logged: logged.unwrap_or(now) };
            queues.insert(queue.clone(), refusal);
        }
        drop(queues);
        if logged.is_none() {
            tracing::error!(%queue, problem, next_in = ?pause, "a queue takes no messages: it is full or gone; what is for it waits on the broker and asks again");
        }
    }

    /// A queue has taken a message.
    pub(crate) fn forget(&self, queue: &RoutingKey) {
        if let Some(refusal) = self.lock().get_mut(queue) {
            refusal.known_until = seam::now();
        }
    }

    /// Whether a queue has refused the last message that is known of.
    pub(crate) fn is_refusing(&self, queue: &str) -> bool {
        let now = seam::now();
        self.lock().iter().any(|(name, refusal)| *name == *queue && now < refusal.known_until)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoutingKey, Refusal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_queue_refuses_until_it_takes_one_or_is_not_asked_any_more() {
        let refusals = Refusals::default();
        let queue = RoutingKey::new("app.x.dead").unwrap();
        assert!(!refusals.is_refusing("app.x.dead"));
        refusals.note(&queue, "full", Duration::from_secs(4));
        assert!(refusals.is_refusing("app.x.dead") && !refusals.is_refusing("app.y.dead"));
        refusals.forget(&queue);
        assert!(!refusals.is_refusing("app.x.dead"));
        refusals.note(&queue, "full", Duration::from_secs(4));
        tokio::time::advance(Duration::from_secs(13)).await;
        assert!(refusals.is_refusing("app.x.dead"), "its message may come back late");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!refusals.is_refusing("app.x.dead"), "somebody else has had it");
    }
}
