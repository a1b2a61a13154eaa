//! The option `batch`: how many messages a handler is called with.

use std::time::Duration;

use super::contradictions::batch_by_hand;
use super::handler::HandlerEntry;
use crate::error::Error;
use crate::registration::{BatchOptions, Callee, HandlerCall};

/// How long the first message of a batch waits for others when nothing else is said.
const WAIT_DEFAULT: Duration = Duration::from_secs(1);

/// How many messages a handler is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry {
    /// At most.
    pub size: u16,
    /// How long the first message waits for others.
    pub wait: Duration,
}

impl BatchEntry {
    /// What the option stands for. A registration by hand may have it without a function for many messages.
    pub(super) fn of(options: Option<BatchOptions>, entry: &HandlerEntry) -> Result<Option<Self>, Error> {
        match (options, &entry.callee) {
            (None, Callee::Linked(HandlerCall::One(_)) | Callee::Given(_)) => Ok(None),
            (Some(BatchOptions { size, wait }), Callee::Linked(HandlerCall::Many(..))) => {
                Ok(Some(Self { size: size.max(1), wait: wait.unwrap_or(WAIT_DEFAULT) }))
            }
            _ => Err(batch_by_hand(entry)),
        }
    }

    /// How many messages are fetched ahead: those of the batches that run, and those of the next one.
    pub(super) fn prefetch(self, concurrency: u16) -> u16 {
        self.size.saturating_mul(concurrency.saturating_add(1))
    }
}
