//! How much the broker holds at most.

use std::time::Duration;

use super::ready::Entry;
use crate::transport::PUBLISH_TIMEOUT;

/// How many messages the broker holds unless told otherwise: together with their envelopes about half a gigabyte.
pub(super) const MESSAGES_MAX: u64 = 1_000_000;

/// How many bytes of bodies the broker holds unless told otherwise: the other half of what a worker's container has.
pub(super) const BYTES_MAX: u64 = 1 << 30;

/// How much the broker holds at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) publish_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: MESSAGES_MAX, bytes: BYTES_MAX, publish_wait: PUBLISH_TIMEOUT }
    }
}

/// How much the broker holds: what is ready, unacknowledged or stuck. A message in two queues counts twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Load {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.messages += 1;
        self.bytes += entry.bytes();
    }

    pub(super) fn subtract(&mut self, entry: &Entry) {
        self.messages -= 1;
        self.bytes -= entry.bytes();
    }

    /// Whether there is no space for a message of so many bytes.
    pub(super) fn is_full(&self, limits: &Limits, bytes: u64) -> bool {
        self.messages >= limits.messages || self.bytes + bytes > limits.bytes
    }
}
