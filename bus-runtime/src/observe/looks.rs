//! How many messages wait in the queues of an app, when somebody wants to know.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::Running;
use crate::names::QueueName;
use crate::seam;

/// How long what a remote broker said is good enough: each look is a question for every queue.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long whoever asks may be kept waiting; then they get what was seen last.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// When somebody looked last. Held by who is looking.
#[derive(Debug, Default)]
pub(crate) struct Looked(tokio::sync::Mutex<Option<Instant>>);

impl Running {
    /// Looks at all queues and their dead letters, unless somebody just did. A broker that does not answer keeps nobody waiting
    /// for long.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(crate) async fn look_at_queues(&self) {
        let Ok(mut last) = self.looked.0.try_lock() else { return };
        let is_recent = last.is_some_and(|at| at.elapsed() < LOOK_EVERY);
        if is_recent && self.embedded.is_none() {
            return;
        }
        let looks = async {
            for queue in self.hub.meters.queues() {
                if let Some(ready) = self.ready(&queue.queue).await {
                    queue.ready.set(ready);
                }
                if let Some(dead) = self.ready(&queue.dead).await {
                    queue.dead_letters.set(dead);
                }
            }
        };
        if tokio::time::timeout(LOOK_TIMEOUT, looks).await.is_ok() {
            *last = Some(seam::now());
        }
    }

    async fn ready(&self, queue: &QueueName) -> Option<u64> {
        self.hub.transport.inspect(queue).await.ok().flatten().map(|state| state.ready)
    }
}
