//! Whose turn it is: the handlers of a session come after those of the bus, inside this process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::hub::Hub;
use crate::names::QueueName;
use crate::seam;

/// How long a handler of a session waits for one of the bus that has not begun with the message: it may be busy with others, or its
/// queue may rest.
const NOT_BEGUN_MAX: Duration = Duration::from_secs(5);
/// Of how many messages of a session it is known how far they are. A handler that is further behind waits for nobody.
const KNOWN_MAX: usize = 4096;

/// How far the handlers of the bus are with the messages of one session.
#[derive(Debug, Default)]
pub(super) struct Turns {
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    steps: HashMap<Step, Progress>,
    /// Oldest first.
    order: VecDeque<Step>,
    has_forgotten: bool,
}

/// A message in one of the queues of this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Step {
    pub(super) message_id: String,
    pub(super) queue: QueueName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Unknown,
    Forgotten,
    Begun,
    Done,
}

impl Turns {
    /// A message has come to the handlers of one of the queues, and is with them for as long as this lives.
    pub(super) fn begin(self: &Arc<Self>, step: Step) -> Passing {
        self.note(&step, Progress::Begun);
        Passing { turns: Arc::clone(self), step }
    }

    fn note(&self, step: &Step, progress: Progress) {
        let mut known = self.lock();
        if known.steps.insert(step.clone(), progress).is_none() {
            known.order.push_back(step.clone());
        }
        if known.order.len() > KNOWN_MAX
            && let Some(oldest) = known.order.pop_front()
        {
            known.steps.remove(&oldest);
            known.has_forgotten = true;
        }
        drop(known);
        self.changed.notify_waiters();
    }

    fn progress(&self, step: &Step) -> Progress {
        let known = self.lock();
        match known.steps.get(step) {
            Some(progress) => *progress,
            None if known.has_forgotten => Progress::Forgotten,
            None => Progress::Unknown,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the handlers of a queue have ended with a message. It does not wait where others consume the queue too, for
    /// they may have it.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(super) async fn wait(&self, hub: &Hub, step: &Step) {
        let until = seam::now() + NOT_BEGUN_MAX;
        let mut comes_here = None;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.progress(step) {
                Progress::Done | Progress::Forgotten => return,
                Progress::Begun => changed.await,
                Progress::Unknown => {
                    let comes = match comes_here {
                        Some(comes) => comes,
                        None => *comes_here.insert(is_ours_alone(hub, &step.queue).await),
                    };
                    if !comes || tokio::time::timeout_at(until, changed).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Whether what comes to a queue comes to this process.
async fn is_ours_alone(hub: &Hub, queue: &QueueName) -> bool {
    matches!(hub.transport.inspect(queue).await, Ok(Some(state)) if state.consumers == 1)
}

/// A message is with the handlers of a queue.
#[derive(Debug)]
pub(crate) struct Passing {
    turns: Arc<Turns>,
    step: Step,
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.turns.note(&self.step, Progress::Done);
    }
}
