//! What a handler decided: its outcome, and the errors that become one.

use std::any::{TypeId, type_name};
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::error::BoxError;
use crate::message::{Command, Event, Kind, Task};

mod batch;

pub use batch::{IntoOutcomes, IntoOutcomesOf, Outcomes};

/// What a handler decided about a message. See [`ack`], [`retry`], [`retry_later`], [`requeue`] and [`reject`].
#[derive(Debug)]
#[must_use = "an outcome does nothing unless the handler returns it"]
#[non_exhaustive]
pub enum Outcome {
    /// The handler has ended well; acknowledge it. The handler of a command leaves its reply here.
    ///
    /// With `ack = "manual"` this is not enough, unless it is a reply: the handler acknowledges the message, or it has failed.
    Done(Option<Bytes>),
    /// Acknowledge it.
    Ack,
    /// Try again, after the policy's delay or after this one; counts as an attempt.
    Retry(Option<Duration>),
    /// Back to the queue at once.
    Requeue,
    /// To the dead letters, now.
    DeadLetter(DeadLetterReason, String),
    /// Acknowledge it although it was not handled, and count it.
    Discard,
    /// The handler failed; its `on_error` decides.
    Failed(HandlerError),
}

impl Outcome {
    /// One word for it, as it stands in logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done(_) | Self::Ack => "done",
            Self::Retry(_) => "retry",
            Self::Requeue => "requeue",
            Self::DeadLetter(..) => "dead_letter",
            Self::Discard => "discard",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether the handler has succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Ack)
    }
}

/// The message is done: acknowledge it. The same as returning `()`, but for `ack = "manual"`, where it has to be said.
pub fn ack() -> Outcome {
    Outcome::Ack
}

/// Try the message again after the delay of the handler's retry policy; counts as an attempt.
pub fn retry() -> Outcome {
    Outcome::Retry(None)
}

/// Try the message again after this delay; counts as an attempt.
pub fn retry_later(delay: Duration) -> Outcome {
    Outcome::Retry(Some(delay))
}

/// Put the message back into the queue at once.
pub fn requeue() -> Outcome {
    Outcome::Requeue
}

/// The same as [`requeue`], under the name that AMQP gives it.
pub fn nack() -> Outcome {
    Outcome::Requeue
}

/// The message can never be handled: put it with the dead letters, and why.
pub fn reject(reason: impl fmt::Display) -> Outcome {
    Outcome::DeadLetter(DeadLetterReason::Rejected, reason.to_string())
}

/// Why a message is with the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadLetterReason {
    /// The handler rejected it.
    Rejected,
    /// All attempts failed.
    Failed,
    /// The error said that trying again is no use.
    Permanent,
    /// Something of it beside its body cannot be read: a name or key that is not UTF-8, tables nested too deep.
    Malformed,
    /// The body cannot be decoded.
    Decode,
    /// The body or the headers are larger than the limit.
    TooLarge,
    /// No handler of the queue is for this type or key.
    UnknownType,
    /// A captured word of the routing key does not parse.
    Routing,
    /// There is no instance of the application at that project and mount point.
    NoInstance,
    /// Something that an argument needs is missing.
    Missing,
}

impl DeadLetterReason {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 10] = [
        Self::Rejected,
        Self::Failed,
        Self::Permanent,
        Self::Malformed,
        Self::Decode,
        Self::TooLarge,
        Self::UnknownType,
        Self::Routing,
        Self::NoInstance,
        Self::Missing,
    ];

    /// One word, as it stands in the header `bus-reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Permanent => "permanent",
            Self::Malformed => "malformed",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
            Self::UnknownType => "unknown_type",
            Self::Routing => "routing",
            Self::NoInstance => "no_instance",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An argument of a handler could not be made from the message; the handler is not called.
#[derive(Debug)]
pub struct Rejection {
    /// Why, in one word.
    pub reason: DeadLetterReason,
    /// Why, in a sentence.
    pub message: String,
    absent: bool,
}

impl Rejection {
    /// The message holds something that the argument cannot be made from.
    pub fn new(reason: DeadLetterReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), absent: false }
    }

    /// The message does not hold what the argument is made from: an `Option` of the argument is `None`.
    pub fn absent(reason: DeadLetterReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), absent: true }
    }

    /// Whether the message does not hold what the argument is made from.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.absent
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Rejection {}

impl From<Rejection> for Outcome {
    fn from(rejection: Rejection) -> Self {
        Outcome::DeadLetter(rejection.reason, rejection.message)
    }
}

/// Why a handler failed: an error, a panic or a timeout.
///
/// Every error type converts into it, so `?` works in a handler that returns `Result<_, HandlerError>`.
pub struct HandlerError {
    cause: Cause,
    type_name: &'static str,
    disposition: Option<Disposition>,
}

enum Cause {
    Error(BoxError),
    Panic(String),
    Timeout(Duration),
    Decided(Box<Outcome>),
}

/// What an error means for the message, whatever the handler's `on_error` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposition {
    /// Worth another attempt, after the policy's delay or after this one.
    Retry(Option<Duration>),
    /// Trying again is no use.
    DeadLetter,
    /// Of no interest: acknowledge the message.
    Discard,
    /// Nothing will work for that time: the handler rests, and the message goes back to the end of its queue, at most 100 times. It
    /// is no attempt.
    Pause(Duration),
}

impl HandlerError {
    /// An error that the handler's `on_error` decides about.
    pub fn new<E: Into<BoxError> + 'static>(error: E) -> Self {
        Self { cause: Cause::Error(error.into()), type_name: name_of_type::<E>(), disposition: None }
    }

    /// An error that another attempt cannot mend: the message goes to the dead letters at once.
    pub fn permanent<E: Into<BoxError> + 'static>(error: E) -> Self {
        Self { disposition: Some(Disposition::DeadLetter), ..Self::new(error) }
    }

    /// An error that is worth another attempt, whatever `on_error` says.
    pub fn transient<E: Into<BoxError> + 'static>(error: E) -> Self {
        Self { disposition: Some(Disposition::Retry(None)), ..Self::new(error) }
    }

    /// An error that is worth another attempt after this delay.
    pub fn retry_after<E: Into<BoxError> + 'static>(error: E, delay: Duration) -> Self {
        Self { disposition: Some(Disposition::Retry(Some(delay))), ..Self::new(error) }
    }

    /// What becomes of the message: what the handler decided, else that it has failed.
    pub(crate) fn into_outcome(self) -> Outcome {
        match self.cause {
            Cause::Decided(outcome) => *outcome,
            cause => Outcome::Failed(Self { cause, ..self }),
        }
    }

    /// The text says that it panicked, and where.
    pub(crate) fn panic(text: String) -> Self {
        Self { cause: Cause::Panic(text), type_name: "panic", disposition: None }
    }

    pub(crate) fn timeout(after: Duration) -> Self {
        Self { cause: Cause::Timeout(after), type_name: "timeout", disposition: None }
    }

    pub(crate) fn with_disposition(self, disposition: Option<Disposition>) -> Self {
        Self { disposition, ..self }
    }

    /// The Rust type of the error; `panic` and `timeout` for those, and `BoxError` for one that is boxed already: what is in the
    /// box, nobody can tell.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// What the error says about the message: itself, or for its type with [`#[derive(HandlerError)]`](derive@crate::HandlerError).
    /// The latter is known when the handler has returned.
    #[must_use]
    pub fn disposition(&self) -> Option<Disposition> {
        self.disposition
    }

    /// The handler panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.cause, Cause::Panic(_))
    }

    /// The handler took longer than its timeout.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause, Cause::Timeout(_))
    }

    /// The error that the handler returned.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match &self.cause {
            Cause::Error(error) => Some(error.as_ref()),
            Cause::Panic(_) | Cause::Timeout(_) | Cause::Decided(_) => None,
        }
    }

    /// The text of the error and of all its sources.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.error().and_then(std::error::Error::source);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

fn name_of_type<E: 'static>() -> &'static str {
    if TypeId::of::<E>() == TypeId::of::<BoxError>() { "BoxError" } else { type_name::<E>() }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Error(error) => error.fmt(f),
            Cause::Panic(text) => f.write_str(text),
            Cause::Timeout(after) => write!(f, "timed out after {after:?}"),
            Cause::Decided(outcome) => write!(f, "the handler decided {outcome:?}"),
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("type", &self.type_name)
            .field("error", &self.chain())
            .field("disposition", &self.disposition)
            .finish()
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError> + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// What the handler decided about the message, as an error: `?` ends the handler with it.
///
/// ```
/// use bus_runtime::{HandlerError, prelude::*};
///
/// #[react("order.{order}.paid")]
/// async fn ship(order: u64, address: Option<Json<String>>) -> Result<(), HandlerError> {
///     let address = address.ok_or_else(|| reject("no address"))?;
///     println!("{order} to {}", *address);
///     Ok(())
/// }
/// ```
impl From<Outcome> for HandlerError {
    fn from(outcome: Outcome) -> Self {
        Self {
            cause: Cause::Decided(Box::new(outcome)),
            type_name: type_name::<Outcome>(),
            disposition: None,
        }
    }
}

/// What an `audit`, `react`, event or task handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler can't return `{Self}`",
    label = "this return value can't be turned into ack / retry / dead letter",
    note = "return `()`, `Outcome`, `Result<(), E>`, or `Result<Outcome, E>` where `E` is any error type",
    note = "to send a reply or a follow-up message, call `bus.publish(..)` instead of returning it"
)]
pub trait IntoOutcome {
    /// The outcome that the value stands for.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Done(None)
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl<T: IntoOutcome, E: IntoHandlerError> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => error.into_handler_error().into_outcome(),
        }
    }
}

/// What a handler may fail with: any error type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a handler's error type",
    label = "not an error the bus can log, retry or dead-letter",
    note = "use anything that converts into `Box<dyn Error + Send + Sync>`: your own `thiserror` enum, `anyhow::Error`, `std::io::Error`, `String`",
    note = "for `{Self}`: add `#[derive(Debug, thiserror::Error)]`"
)]
pub trait IntoHandlerError {
    /// The error, ready for judgement.
    fn into_handler_error(self) -> HandlerError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<HandlerError>> IntoHandlerError for E {
    fn into_handler_error(self) -> HandlerError {
        self.into()
    }
}

/// What the handler of a message of kind `K` may return: [`IntoOutcome`] for events and tasks, the reply for commands.
#[diagnostic::on_unimplemented(
    message = "a handler of this message can't return `{Self}`",
    label = "this return value can't be turned into ack / retry / dead letter",
    note = "the handler of an event or a task returns `()`, `Outcome`, `Result<(), E>`, or `Result<Outcome, E>` where `E` is any error type",
    note = "the handler of a command returns `Result<R, E>` with the `reply = R` of the command"
)]
pub trait IntoOutcomeOf<K: Kind> {
    /// The outcome that the value stands for.
    fn into_outcome_of(self) -> Outcome;
}

impl<T: IntoOutcome> IntoOutcomeOf<Event> for T {
    fn into_outcome_of(self) -> Outcome {
        self.into_outcome()
    }
}

impl<T: IntoOutcome> IntoOutcomeOf<Task> for T {
    fn into_outcome_of(self) -> Outcome {
        self.into_outcome()
    }
}

impl<R: Serialize + 'static, E: IntoHandlerError> IntoOutcomeOf<Command<R>> for Result<R, E> {
    fn into_outcome_of(self) -> Outcome {
        match self {
            Ok(reply) => match serde_json::to_vec(&reply) {
                Ok(bytes) => Outcome::Done(Some(bytes.into())),
                Err(error) => Outcome::Failed(HandlerError::permanent(error)),
            },
            Err(error) => error.into_handler_error().into_outcome(),
        }
    }
}
