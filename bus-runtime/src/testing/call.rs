//! One call of a handler: what it was called with, and how it ended.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::delivery::Metadata;
use crate::names::RoutingKey;
use crate::outcome::Outcome;

/// One call of a handler, from [`HandlerProbe::calls`](super::HandlerProbe::calls).
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) identity: TypeId,
    pub(super) handler: String,
    pub(super) metadata: Metadata,
    pub(super) instance: Option<String>,
    pub(super) at: Duration,
    pub(super) ended: Option<(Duration, Ending)>,
    /// The test has made it fail.
    pub(super) on_purpose: bool,
}

/// How a call has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// With success.
    Handled,
    /// With this error.
    Failed(String),
    /// With a panic, which says this.
    Panicked(String),
    /// It took longer than its timeout.
    TimedOut(String),
    /// It asked for another attempt.
    Retried,
    /// It put the message back.
    Requeued,
    /// It sent the message to the dead letters, and says why.
    Rejected(String),
    /// It was done with the message without having handled it.
    Discarded,
    /// It was cut short, by a shutdown or because what it had published could not be sent. It counts as no attempt.
    Interrupted,
}

impl Ending {
    pub(super) fn of(outcome: Option<&Outcome>) -> Self {
        match outcome {
            None => Self::Interrupted,
            Some(Outcome::Done(_) | Outcome::Ack) => Self::Handled,
            Some(Outcome::Retry(_)) => Self::Retried,
            Some(Outcome::Requeue) => Self::Requeued,
            Some(Outcome::DeadLetter(_, why)) => Self::Rejected(why.clone()),
            Some(Outcome::Discard) => Self::Discarded,
            Some(Outcome::Failed(error)) if error.is_panic() => Self::Panicked(error.chain()),
            Some(Outcome::Failed(error)) if error.is_timeout() => Self::TimedOut(error.chain()),
            Some(Outcome::Failed(error)) => Self::Failed(error.chain()),
        }
    }

    /// In one or two words, and what it says beside them.
    pub(super) fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Handled => ("handled", ""),
            Self::Failed(error) => ("failed", error),
            Self::Panicked(text) => ("panicked", text),
            Self::TimedOut(text) => ("timed out", text),
            Self::Retried => ("retries", ""),
            Self::Requeued => ("requeues", ""),
            Self::Rejected(why) => ("rejected", why),
            Self::Discarded => ("discarded", ""),
            Self::Interrupted => ("interrupted", ""),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words() {
            (word, "") => f.write_str(word),
            (word, rest) => write!(f, "{word}: {rest}"),
        }
    }
}

impl Call {
    /// The name of the handler.
    #[must_use]
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// The routing key that the message was first published with.
    #[must_use]
    pub fn routing_key(&self) -> &RoutingKey {
        self.metadata.routing_key()
    }

    /// What is known about the message beside its body.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.metadata.envelope.body
    }

    /// The body, decoded from JSON.
    ///
    /// # Panics
    /// When it is not what the type needs.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        decoded(self.body(), self.routing_key())
    }

    /// The number of the attempt; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.metadata.attempt()
    }

    /// The key of the controller's instance that it was for.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// When it began, from the start of the bus.
    #[must_use]
    pub fn at(&self) -> Duration {
        self.at
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.ended.as_ref().map(|(_, ending)| ending)
    }
}

/// A body, decoded from JSON.
///
/// # Panics
/// When it is not what the type needs.
#[track_caller]
pub(super) fn decoded<T: DeserializeOwned>(body: &Bytes, key: &str) -> T {
    serde_json::from_slice(body).unwrap_or_else(|error| {
        let text = String::from_utf8_lossy(body);
        panic!("the body of `{key}` is no {}: {error}\n  {text}", std::any::type_name::<T>())
    })
}
