//! The right to settle a message, shared by the calls that it is for: it is used once, whoever comes first.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::transport::{Settler, Verdict};

/// The right to settle one message.
#[derive(Debug)]
pub(crate) struct Right(Mutex<Unused>);

#[derive(Debug)]
struct Unused {
    /// Gone when it is used.
    settler: Option<Settler>,
    /// Calls that have not acknowledged the message.
    calls: usize,
}

impl Right {
    pub(crate) fn new(settler: Settler) -> Self {
        Self(Mutex::new(Unused { settler: Some(settler), calls: 0 }))
    }

    /// So many more calls need the message.
    pub(crate) fn needed_by(&self, calls: usize) {
        self.lock().calls += calls;
    }

    /// One of the calls needs the message no more. The last one acknowledges it.
    pub(crate) fn acknowledge(&self) -> Result<(), Error> {
        let mut unused = self.lock();
        unused.calls = unused.calls.saturating_sub(1);
        if unused.calls > 0 {
            return Ok(());
        }
        match unused.settler.take() {
            Some(settler) => settler.settle(Verdict::Ack),
            None => Ok(()),
        }
    }

    /// Settles the message, unless that is done.
    pub(crate) fn settle(&self, verdict: Verdict) {
        let Some(settler) = self.lock().settler.take() else { return };
        if let Err(error) = settler.settle(verdict) {
            tracing::debug!(%error, "not settled: the broker will deliver the message again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
