//! What happens by itself: messages and queues expire, consumers bring their queues back. One task per broker sees to it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::consumer::ConsumerId;
use super::queue::QueueId;
use super::shared::Shared;
use super::state::State;
use crate::seam;

/// What is due at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A message at the head of a queue expires, or the queue itself.
    Queue(QueueId),
    /// A consumer declares its deleted queue anew.
    Revival(ConsumerId),
}

impl State {
    /// Does all that is due, and what this sets off.
    pub(super) fn run_due(&mut self) {
        while let Some((at, due)) = self.timers.first().copied() {
            let now = seam::now();
            if at > now {
                return;
            }
            match due {
                Due::Queue(id) => {
                    // It may come back at another time: then `refresh` puts it there.
                    self.timers.pop_first();
                    let Some(queue) = self.queues.get_mut(id) else { continue };
                    queue.alarm = None;
                    if queue.queue_due().is_some_and(|at| at <= now) {
                        self.remove_queue(id);
                    } else {
                        self.hand_out(id);
                    }
                }
                Due::Revival(id) => {
                    self.revive(id);
                    self.timers.remove(&(at, due));
                }
            }
            self.deliver_letters();
        }
    }
}

/// Runs what is due, sleeps until something is due next, and ends with the broker.
pub(super) async fn run(broker: Weak<Shared>, bell: Arc<Notify>) {
    let _running = Running(broker.clone());
    loop {
        let next = match broker.upgrade() {
            Some(shared) => shared.with(|state| {
                state.run_due();
                state.armed = state.timers.first().map(|(at, _)| *at);
                state.armed
            }),
            None => return,
        };
        match next {
            Some(at) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(at) => {}
                () = bell.notified() => {}
            },
            None => bell.notified().await,
        }
    }
}

/// Lets another runtime start the timer when the one that it runs on ends before the broker does.
struct Running(Weak<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.timer_runs.store(false, Ordering::Release);
            shared.with(|state| state.armed = None);
        }
    }
}

impl Shared {
    /// Has the timer look at what is due. Without a runtime nothing expires by itself; who looks at a queue expires what is due.
    pub(super) fn ring(self: &Arc<Self>) {
        if self.timer_runs.load(Ordering::Acquire) {
            self.bell.notify_one();
        } else if tokio::runtime::Handle::try_current().is_ok()
            && !self.timer_runs.swap(true, Ordering::AcqRel)
        {
            seam::spawn_for_all("embedded broker: timer", run(Arc::downgrade(self), Arc::clone(&self.bell)));
        }
    }

    /// The earliest time at which a message in any queue expires.
    pub(super) fn next_due(self: &Arc<Self>) -> Option<Instant> {
        self.with(|state| {
            state.run_due();
            state.queues.iter().filter_map(|(_, queue)| queue.message_due()).min()
        })
    }
}
