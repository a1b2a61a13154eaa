//! How it stands with the consumers of an app, one for each queue.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::names::QueueName;
use crate::transport::{Consumer, Lookout, Standing};

/// A lookout for each queue that is consumed, in the order in which they were first.
#[derive(Default)]
pub(crate) struct Lookouts(Mutex<Vec<(QueueName, Lookout)>>);

impl Lookouts {
    /// Keeps the lookout of a consumer, in the place of the one that the queue had before.
    pub(crate) fn keep(&self, queue: &QueueName, consumer: &dyn Consumer) {
        let lookout = consumer.lookout();
        let mut kept = self.lock();
        match kept.iter_mut().find(|(name, _)| name == queue) {
            Some((_, earlier)) => *earlier = lookout,
            None => kept.push((queue.clone(), lookout)),
        }
    }

    pub(crate) fn all(&self) -> Vec<(QueueName, Standing)> {
        self.lock().iter().map(|(queue, lookout)| (queue.clone(), lookout())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(QueueName, Lookout)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lookouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookouts")
    }
}
