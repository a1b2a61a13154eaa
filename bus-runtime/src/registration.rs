//! What an attribute leaves in the binary: one constant per attribute, collected at link time.

mod published;

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::{Delivery, Metadata};
use crate::error::Place;
use crate::extract::{Arguments, BatchCall, BatchItem};
use crate::instances::InstanceFinder;
use crate::message::{Message, MessageType};
use crate::outcome::{HandlerError, Outcome, Outcomes, Rejection};
use crate::policy::{AckMode, BreakerPolicy, OnError, RateLimit, WhenFull};
use crate::topology::{ExchangeKind, QueueType};
use crate::transport::BoxFuture;

mod disposition;

pub use disposition::ErrorRegistration;
pub(crate) use disposition::judged;

pub(crate) use published::Published;
pub use published::{MessageRegistration, PublishRegistration};

/// What an attribute registers: which messages go to which function, and how.
///
/// The attributes make it; [`App::register`](crate::App::register) takes it where link-time registration is no choice.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct HandlerRegistration {
    pub(crate) id: HandlerId,
    pub(crate) subject: Subject,
    pub(crate) options: HandlerOptions,
    /// The group without the option; the crate if nothing says so.
    pub(crate) group: Option<&'static str>,
    pub(crate) place: Place,
    pub(crate) docs: &'static str,
    pub(crate) identity: fn() -> TypeId,
    pub(crate) arguments: fn(&mut Arguments),
    pub(crate) instances: Option<fn() -> InstanceFinder>,
    pub(crate) call: HandlerCall,
}

/// The function that the generated code leaves behind: it extracts the arguments, calls the handler and judges what it returns.
pub type HandlerFn = fn(Delivery) -> BoxFuture<'static, Result<Outcome, Rejection>>;

/// What the generated code of a handler with `batch(..)` leaves behind for one message: it makes what the message contributes
/// to each argument.
pub type ItemFn = fn(&Delivery) -> Result<Vec<BatchItem>, Rejection>;

/// What it leaves behind for all messages of a batch: it makes the arguments, calls the handler and judges what it returns.
pub type BatchFn = fn(BatchCall) -> BoxFuture<'static, Result<Outcomes, Rejection>>;

/// How the function is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HandlerCall {
    One(HandlerFn),
    Many(ItemFn, BatchFn),
}

/// What a message calls: what an attribute has left in the binary, or what a session was given while the app runs.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    Linked(HandlerCall),
    Given(Closure),
}

/// A handler that is a value: it extracts the arguments, calls what it was made of and judges what that returns.
#[derive(Clone)]
pub(crate) struct Closure(
    pub(crate) Arc<dyn Fn(Delivery) -> BoxFuture<'static, Result<Outcome, Rejection>> + Send + Sync>,
);

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closure")
    }
}

/// Which function: its path in the crate, unique and stable, and the basis of the queue's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId {
    /// `module_path!()`; its first word is the crate.
    pub module: &'static str,
    /// The function's name; a method's with its type, as in `Wiki::save`.
    pub name: &'static str,
}

impl HandlerId {
    pub(crate) fn crate_name(&self) -> &'static str {
        self.module.split("::").next().unwrap_or_default()
    }
}

/// What a handler listens to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Subject {
    /// The `audit` exchange, with these binding keys; a word may be a capture, as in `wiki.{page}`.
    Audit(&'static [&'static str]),
    /// The `react` exchange, with these binding keys.
    React(&'static [&'static str]),
    /// A message type, by its topic.
    Message(MessageType),
}

/// The options of the attributes; `None` is the default of the app.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "each is the option of that name, documented at the attributes")]
pub struct HandlerOptions {
    pub timeout: Option<Timeout>,
    pub retry: Option<RetryOptions>,
    pub on_error: Option<OnError>,
    pub error_hook: Option<ErrorHook>,
    pub ack: Option<AckMode>,
    pub concurrency: Option<u16>,
    pub prefetch: Option<u16>,
    pub queue: Option<&'static str>,
    pub name: Option<&'static str>,
    pub group: Option<&'static str>,
    pub priority: Option<i32>,
    pub when: Option<Filter>,
    pub ordered_by: Option<&'static str>,
    pub batch: Option<BatchOptions>,
    pub breaker: Option<BreakerPolicy>,
    pub rate_limit: Option<RateLimit>,
    pub queue_type: Option<QueueType>,
    pub max_length: Option<u64>,
    pub overflow: Option<WhenFull>,
    pub ttl: Option<Duration>,
    pub max_priority: Option<u8>,
    pub single_active: Option<bool>,
    pub exclusive: Option<bool>,
    pub fanout_each: bool,
    pub exchange: Option<&'static str>,
    pub exchange_kind: Option<ExchangeKind>,
    pub declare_never: bool,
    pub formerly: Option<&'static str>,
}

impl HandlerOptions {
    /// Whether the handler's queue belongs to others.
    pub(crate) fn has_foreign_queue(&self) -> bool {
        self.declare_never && self.queue.is_some()
    }
}

/// The option `error_hook`: called with the error and what is known about the message.
pub type ErrorHook = fn(&HandlerError, &Metadata);

/// The option `when`: whether the handler wants the message.
pub type Filter = fn(&Metadata) -> bool;

/// The option `timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Cancelled after this time.
    After(Duration),
    /// Never cancelled: `timeout = "none"`.
    Never,
}

/// The option `batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// The most messages of one call.
    pub size: u16,
    /// How long the first one waits for others; 1 s without it.
    pub wait: Option<Duration>,
}

/// The option `retry`: what is set of it, over the app's policy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each is a field of `RetryPolicy`")]
pub struct RetryOptions {
    pub max: Option<u32>,
    pub initial: Option<Duration>,
    pub factor: Option<f64>,
    pub max_delay: Option<Duration>,
    pub jitter: Option<f64>,
    pub give_up_after: Option<Duration>,
}

impl HandlerRegistration {
    /// A handler of the `audit` exchange.
    pub const fn audit(id: HandlerId, keys: &'static [&'static str], call: HandlerFn) -> Self {
        Self::new(id, Subject::Audit(keys), HandlerCall::One(call))
    }

    /// A handler of the `react` exchange.
    pub const fn react(id: HandlerId, keys: &'static [&'static str], call: HandlerFn) -> Self {
        Self::new(id, Subject::React(keys), HandlerCall::One(call))
    }

    /// A handler of a message type.
    pub const fn message<M: Message>(id: HandlerId, call: HandlerFn) -> Self {
        Self::new(id, Subject::Message(MessageType::of::<M>()), HandlerCall::One(call))
    }

    /// A handler of the `audit` exchange with the option `batch`.
    pub const fn audit_in_batches(
        id: HandlerId,
        keys: &'static [&'static str],
        item: ItemFn,
        call: BatchFn,
    ) -> Self {
        Self::new(id, Subject::Audit(keys), HandlerCall::Many(item, call))
    }

    /// A handler of the `react` exchange with the option `batch`.
    pub const fn react_in_batches(
        id: HandlerId,
        keys: &'static [&'static str],
        item: ItemFn,
        call: BatchFn,
    ) -> Self {
        Self::new(id, Subject::React(keys), HandlerCall::Many(item, call))
    }

    /// A handler of a message type with the option `batch`.
    pub const fn message_in_batches<M: Message>(id: HandlerId, item: ItemFn, call: BatchFn) -> Self {
        Self::new(id, Subject::Message(MessageType::of::<M>()), HandlerCall::Many(item, call))
    }

    const fn new(id: HandlerId, subject: Subject, call: HandlerCall) -> Self {
        Self {
            id,
            subject,
            options: NO_OPTIONS,
            group: None,
            place: Place { file: "", line: 0, column: 0 },
            docs: "",
            identity: TypeId::of::<()>,
            arguments: |_| {},
            instances: None,
            call,
        }
    }

    /// Where the attribute stands.
    pub const fn located(mut self, file: &'static str, line: u32, column: u32) -> Self {
        self.place = Place { file, line, column };
        self
    }

    /// What the function's doc comment says, for the command `describe` and generated documents.
    pub const fn documented(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    /// The type of the function item, by which tests name the handler.
    pub const fn identified_by(mut self, identity: fn() -> TypeId) -> Self {
        self.identity = identity;
        self
    }

    /// The types of the handler's arguments, for checks at start-up.
    pub const fn taking(mut self, arguments: fn(&mut Arguments)) -> Self {
        self.arguments = arguments;
        self
    }

    /// The group that it is in when its options name none.
    pub const fn in_group(mut self, group: &'static str) -> Self {
        self.group = Some(group);
        self
    }

    /// It is a method, which is called for instances of its type.
    #[doc(hidden)]
    pub const fn on_instances(mut self, finder: fn() -> InstanceFinder) -> Self {
        self.instances = Some(finder);
        self
    }

    /// What the attribute's options say.
    pub const fn with_options(mut self, options: HandlerOptions) -> Self {
        self.options = options;
        self
    }

    /// Which function it is.
    #[must_use]
    pub const fn id(&self) -> HandlerId {
        self.id
    }

    /// What the function listens to.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// What the attribute's options say.
    #[must_use]
    pub const fn options(&self) -> &HandlerOptions {
        &self.options
    }

    /// Where the attribute stands.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Every registration that is linked into this program, in no particular order.
    pub fn linked() -> impl Iterator<Item = &'static HandlerRegistration> {
        inventory::iter::<HandlerRegistration>.into_iter()
    }
}

/// `HandlerOptions::default()` as a constant, for generated code to override.
pub const NO_OPTIONS: HandlerOptions = HandlerOptions {
    timeout: None,
    retry: None,
    on_error: None,
    error_hook: None,
    ack: None,
    concurrency: None,
    prefetch: None,
    queue: None,
    name: None,
    group: None,
    priority: None,
    when: None,
    ordered_by: None,
    batch: None,
    breaker: None,
    rate_limit: None,
    queue_type: None,
    max_length: None,
    overflow: None,
    ttl: None,
    max_priority: None,
    single_active: None,
    exclusive: None,
    fanout_each: false,
    exchange: None,
    exchange_kind: None,
    declare_never: false,
    formerly: None,
};

inventory::collect!(HandlerRegistration);
