//! The state behind its lock, and those who wait for it to change.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::effects::Effects;
use super::limits::Limits;
use super::queue::ConnectionId;
use super::state::State;

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    connections: AtomicU64,
    /// Wakes the timer.
    pub(super) bell: Arc<Notify>,
    /// Whether the timer's task runs.
    pub(super) timer_runs: AtomicBool,
    /// Wakes those who wait until nothing is busy.
    pub(super) quiet: Notify,
    /// Wakes the publisher whose turn it is to wait for space.
    pub(super) space: Notify,
    /// Where publishers queue who wait for space.
    pub(super) turnstile: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State::new(limits)),
            connections: AtomicU64::new(0),
            bell: Arc::default(),
            timer_runs: AtomicBool::new(false),
            quiet: Notify::new(),
            space: Notify::new(),
            turnstile: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn new_connection(&self) -> ConnectionId {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Changes the state, and does what follows from it when the lock is released.
    pub(super) fn with<T>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> T) -> T {
        // No code of ours panics while it holds the lock; if it does, the broker goes on with what it has.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let effects = state.finish();
        drop(state);
        self.perform(effects);
        result
    }

    fn perform(self: &Arc<Self>, effects: Effects) {
        let Effects { wake, drop: rubbish, quiet, space, alarm } = effects;
        wake.for_each(std::task::Waker::wake);
        if quiet {
            self.quiet.notify_waiters();
        }
        if space {
            self.space.notify_one();
        }
        if alarm {
            self.ring();
        }
        rubbish.for_each(drop);
    }
}

/// The bell outlives the broker in its timer, which ends when it hears it.
impl Drop for Shared {
    fn drop(&mut self) {
        self.bell.notify_one();
    }
}
