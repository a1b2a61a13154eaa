//! What follows from a change of the state and is done after its lock is released.

use std::sync::Arc;
use std::task::Waker;

use crate::envelope::Envelope;
use crate::transport::QueueLevel;

/// What is left to do when the lock is released: wake-ups, so that nobody wakes only to wait for the lock, and destructors,
/// which are not ours and could come back for the lock.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) wake: Few<Waker>,
    pub(super) drop: Few<Arc<Envelope>>,
    /// Queues that passed one of their marks.
    pub(super) levels: Few<QueueLevel>,
    /// The last busy queue became quiet.
    pub(super) quiet: bool,
    /// A publisher that waits for space can try again.
    pub(super) space: bool,
    /// Something is due before the timer would look.
    pub(super) alarm: bool,
}

/// A list that mostly holds nothing or one thing, and then needs no memory of its own.
#[derive(Debug)]
pub(super) struct Few<T> {
    first: Option<T>,
    more: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, more: Vec::new() }
    }
}

impl<T> Few<T> {
    pub(super) fn push(&mut self, thing: T) {
        match &self.first {
            None => self.first = Some(thing),
            Some(_) => self.more.push(thing),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn for_each(self, mut act: impl FnMut(T)) {
        let Some(first) = self.first else { return };
        act(first);
        self.more.into_iter().for_each(act);
    }
}
