//! Headers and properties as arguments.

use std::fmt;
use std::time::SystemTime;

use super::FromDelivery;
use crate::delivery::{Delivery, Metadata};
use crate::envelope::Headers;
use crate::outcome::{DeadLetterReason, Rejection};

/// All headers of the message.
impl FromDelivery for Headers {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(delivery.envelope().headers.clone())
    }
}

/// What is known about the message beside its body.
impl FromDelivery for Metadata {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(delivery.metadata().clone())
    }
}

/// The id that the publisher gave the message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(pub String);

/// Ties the messages of one conversation together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CorrelationId(pub String);

/// When the message was published, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub SystemTime);

/// The number of this attempt; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(pub u32);

/// The broker says that the message may have been delivered before. Not an attempt count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Redelivered(pub bool);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromDelivery for MessageId {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        present("message id", delivery.metadata().message_id()).map(|id| Self(id.to_owned()))
    }
}

impl FromDelivery for CorrelationId {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        present("correlation id", delivery.metadata().correlation_id()).map(|id| Self(id.to_owned()))
    }
}

impl FromDelivery for Timestamp {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        present("timestamp", delivery.envelope().properties.timestamp).map(Self)
    }
}

impl FromDelivery for Attempt {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(Self(delivery.metadata().attempt()))
    }
}

impl FromDelivery for Redelivered {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(Self(delivery.metadata().redelivered()))
    }
}

fn present<T>(what: &str, value: Option<T>) -> Result<T, Rejection> {
    value.ok_or_else(|| Rejection::absent(DeadLetterReason::Missing, format!("the message has no {what}")))
}
