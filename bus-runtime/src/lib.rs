//! Declarative message handlers for Rust, on RabbitMQ or on an embedded broker.

extern crate self as bus_runtime;

// Vocabulary: pure words, no async, no clock.
pub mod binding_key;
mod envelope;
mod error;
mod message;
pub mod names;
mod outcome;
mod policy;

// Declared.
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod registration;

// Start-up: pure functions from registrations to a plan.
pub mod routing;
pub mod topology;

// Transports.
mod delivery;
pub mod transport;

// Handling.
mod extract;
mod scope;

// Running.
mod publish;
mod seam;
mod shutdown;

pub use binding_key::{BindingKey, BindingKeyError};
pub use bus_macros::{Message, audit, message_handler, react};
pub use delivery::{Delivery, Metadata};
pub use envelope::{Envelope, HeaderValue, Headers, Properties, Text, header};
pub use error::{BoxError, Error, ErrorKind, Place};
pub use extract::{
    Arguments, Attempt, BODY_MAX, CapturedWord, Context, CorrelationId, FromDelivery, Json, MessageId,
    MessageOf, Raw, Redelivered, State, Timestamp,
};
pub use message::{Command, Event, Kind, Message, MessageKind, MessageType, Publishable, Task};
pub use names::{ExchangeName, NameError, QueueName, RoutingKey};
pub use outcome::{
    DeadLetterReason, Disposition, HandlerError, IntoHandlerError, IntoOutcome, IntoOutcomeOf, Outcome,
    Rejection, ack, nack, reject, requeue, retry, retry_later,
};
pub use policy::{AckMode, JITTER_BUCKETS, OnError, RetryPolicy};
pub use publish::{Publish, Publisher};
pub use registration::{
    ErrorHook, Filter, HandlerFn, HandlerId, HandlerOptions, HandlerRegistration, RetryOptions, Subject,
    Timeout,
};
pub use shutdown::Shutdown;
pub use transport::embedded::EmbeddedBroker;

/// What the programs of the documentation use.
pub mod prelude {
    pub use std::process::ExitCode;
    pub use std::time::Duration;

    pub use bytes::Bytes;

    pub use crate::{
        BoxError, Context, Headers, Json, Message, MessageOf, Outcome, Publisher, RoutingKey, State, ack,
        audit, message_handler, nack, react, reject, requeue, retry, retry_later,
    };
}
