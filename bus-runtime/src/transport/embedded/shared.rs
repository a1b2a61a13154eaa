//! The state behind its lock, and those who wait for it to change.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::effects::Effects;
use super::limits::Limits;
use super::queue::ConnectionId;
use super::state::State;
use crate::transport::{LevelListener, QueueLevel};

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
    levels: Levels,
}

/// Who wants to know how full queues are, and what they are still to be told.
#[derive(Default)]
struct Levels {
    listeners: Mutex<Vec<LevelListener>>,
    /// In the order of the changes, whoever tells them.
    passed: Mutex<VecDeque<QueueLevel>>,
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Levels")
    }
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
            levels: Levels::default(),
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
        let mut effects = state.finish();
        let levels = std::mem::take(&mut effects.levels);
        let crossed = !levels.is_empty();
        if crossed {
            let mut passed = self.levels.passed.lock().unwrap_or_else(PoisonError::into_inner);
            levels.for_each(|level| passed.push_back(level));
        }
        drop(state);
        self.perform(effects);
        if crossed {
            self.tell_levels();
        }
        result
    }

    /// Lets a listener know of the marks that queues pass from now on.
    pub(super) fn watch_levels(&self, listener: LevelListener) {
        self.levels.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Tells what has been passed; one thread at a time, so that it is told in order. A listener must not call the broker.
    fn tell_levels(&self) {
        let listeners = self.levels.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next = self.levels.passed.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(level) = next else { return };
            listeners.iter().for_each(|listener| listener(&level));
        }
    }

    fn perform(self: &Arc<Self>, effects: Effects) {
        let Effects { wake, drop: rubbish, levels: _, quiet, space, alarm } = effects;
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
