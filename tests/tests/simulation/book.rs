//! What has happened in one run: messages, calls, and ends of processes.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::{Envelope, QueueName};

use crate::asking::Asked;

/// A message, by its number.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: &'static str,
    /// What `ordered_by` looks at.
    pub(crate) k: u8,
    pub(crate) by: Sender,
    pub(crate) is_malformed: bool,
    /// Whether it was to wait first.
    pub(crate) is_delayed: bool,
    /// How often it came back from the dead letters.
    pub(crate) replays: usize,
}

/// Who has published a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The client, and it was confirmed.
    Client,
    /// The client, and what it was told is no confirm.
    Unconfirmed,
    /// This call, when it succeeds.
    Call(usize),
}

/// One call of a handler for one message.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) message: usize,
    pub(crate) role: usize,
    pub(crate) attempt: u32,
    pub(crate) process: u32,
    pub(crate) began: Duration,
    /// When the message was acknowledged early.
    pub(crate) settled_early: bool,
    pub(crate) end: Option<(Duration, End)>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Failed,
    TimedOut,
    Retry,
    Requeue,
    Reject,
    /// With its process.
    Cut,
}

/// When a process ended without having finished what it had begun: from, to.
pub(crate) type Break = (Duration, Duration);

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) messages: Vec<Message>,
    pub(crate) calls: Vec<Call>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) breaks: Vec<Break>,
    /// What was wrong while it happened.
    pub(crate) offences: Vec<String>,
    /// Dead letters that were taken off their queues, to make room for others.
    pub(crate) buried: Vec<(QueueName, Arc<Envelope>)>,
}

impl Call {
    pub(crate) fn is_active(&self) -> bool {
        self.end.is_none()
    }

    pub(crate) fn ended(&self, how: End) -> bool {
        self.end.is_some_and(|(_, end)| end == how)
    }

    pub(crate) fn end_time(&self) -> Duration {
        self.end.map_or(Duration::MAX, |(at, _)| at)
    }

    /// Whether it was the last one that its message needs for this handler.
    pub(crate) fn has_succeeded(&self) -> bool {
        self.settled_early || self.ended(End::Done)
    }
}
