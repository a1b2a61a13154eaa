//! Declarative message handlers for Rust, on RabbitMQ or on an embedded broker.

extern crate self as bus_runtime;

// Vocabulary: pure words, no async, no clock.
mod base64;
pub mod binding_key;
mod broker_url;
mod envelope;
mod error;
mod message;
pub mod names;
mod outcome;
mod policy;

// Declared: what the attributes leave in the binary.
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod registration;
mod schema;
mod shape;

// Start-up: pure functions from registrations to a plan.
pub mod routing;
pub mod topology;

// On the broker: what is declared, and whose it is.
pub mod check;
pub mod provision;

// Transports: what carries messages.
pub mod transport;

// Handling: from an arrival to a settlement.
mod arrival;
mod blocking;
mod copies;
mod delivery;
mod extract;
mod instances;
pub mod middleware;
mod right;
mod scope;
mod settle;

// Running.
mod breaker;
mod command;
mod counters;
mod due;
mod history;
mod hub;
mod idempotency;
mod publish;
mod rename;
mod seam;
mod session;
mod settling;
mod shutdown;
mod witness;
mod worker;

// What can be seen from outside.
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "the admin port shows it"))]
mod observe;

// Dead letters, and the language that chooses among them.
pub mod dead_letters;
pub mod expression;

// Wiring.
mod admin;
mod app;
mod config;
mod fleet;

// Operations.
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
mod docs;

// For users' tests.
#[cfg(feature = "testing")]
pub mod testing;

// For authors of transports.
#[cfg(feature = "conformance")]
pub mod conformance;

// For our own tests.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;

/// Runs every handler that is linked into the program: [`App::run`] of an [`app`] to which nothing is added.
///
/// ```no_run
/// use bus_runtime::prelude::*;
///
/// #[react("wiki.#")]
/// async fn on_wiki(key: RoutingKey, data: Json) {
///     println!("{key}: {data}");
/// }
///
/// fn main() -> ExitCode {
///     bus_runtime::run()
/// }
/// ```
#[cfg(feature = "cli")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    app().run()
}

/// Makes sure that crates are linked into the program although nothing else refers to them: the linker drops a crate that
/// nothing names, and its handlers with it.
///
/// ```
/// // In place of these two stand the crates that hold your handlers.
/// bus_runtime::link!(serde, tokio);
/// ```
#[macro_export]
macro_rules! link {
    ($($name:ident),+ $(,)?) => {
        $(extern crate $name as _;)+
    };
}

pub use admin::AdminPort;
pub use app::{App, BrokerHealth, Bus, ConsumerHealth, Drained, Health, Status, app};
pub use binding_key::{BindingKey, BindingKeyError};
pub use breaker::BreakerState;
pub use broker_url::{AMQP_PORT, AMQPS_PORT, AmqpUrl, BrokerUrl, Host, TlsOptions};
#[cfg(feature = "testing")]
pub use bus_macros::test;
pub use bus_macros::{HandlerError, Message, audit, controller, message_handler, react};
pub use command::{CommandFailure, Execute};
pub use config::{Config, HttpAccess, Patience, Secret, Supervisor};
pub use counters::{CommandStats, HandlerStats, SessionStats, Stats};
pub use delivery::{Delivery, Metadata};
pub use envelope::{Envelope, HeaderValue, Headers, Properties, Text, header};
pub use error::{BoxError, Error, ErrorKind, Place};
pub use extract::{
    Arguments, Attempt, BODY_MAX, Batch, BatchCall, BatchItem, CapturedWord, CapturedWords, Context,
    CorrelationId, FromBatch, FromDelivery, Json, MessageId, MessageOf, Raw, Redelivered, Settle, State,
    Timestamp,
};
pub use idempotency::{Claim, IdempotencyStore, MemoryStore};
pub use instances::Instances;
pub use message::{Command, Event, Kind, Message, MessageKind, MessageType, Publishable, Task};
pub use names::{ExchangeName, NameError, QueueName, RoutingKey};
pub use observe::{MetricsSettings, TraceParent, TraceSettings};
pub use outcome::{
    DeadLetterReason, Disposition, HandlerError, IntoHandlerError, IntoOutcome, IntoOutcomeOf, IntoOutcomes,
    IntoOutcomesOf, Outcome, Outcomes, Rejection, ack, nack, reject, requeue, retry, retry_later,
};
pub use policy::{
    AHEAD_MAX, AckMode, BreakerPolicy, JITTER_BUCKETS, OnError, RateLimit, RetryPolicy, WhenFull,
};
pub use publish::{AndSettle, Publish, Publisher};
pub use registration::{
    BatchFn, BatchOptions, ErrorHook, Filter, HandlerFn, HandlerId, HandlerOptions, HandlerRegistration,
    ItemFn, MessageRegistration, PublishRegistration, RetryOptions, Subject, Timeout,
};
pub use session::{Session, SessionEnded, SessionStarted};
pub use settling::Settled;
pub use shape::Shape;
pub use shutdown::Shutdown;
pub use transport::embedded::EmbeddedBroker;
pub use transport::{QueueLevel, WaterMark};
pub use worker::{CommandFinished, CommandStarted, HandlerFailed};

/// What the programs of the documentation use.
pub mod prelude {
    pub use std::process::ExitCode;
    pub use std::time::Duration;

    pub use bytes::Bytes;

    pub use crate::{
        BoxError, Context, Headers, Instances, Json, Message, MessageOf, Outcome, Publisher, RoutingKey,
        Settle, State, ack, audit, controller, message_handler, nack, react, reject, requeue, retry,
        retry_later,
    };

    #[cfg(feature = "testing")]
    pub use crate::testing::{RealTime, TestBus};
}

/// The programs of the README compile, and its tests pass.
#[cfg(all(doctest, feature = "cli", feature = "testing"))]
#[doc = include_str!("../../README.md")]
struct Readme;
