//! The options of the three handler attributes, each with its type.

use std::time::Duration;

use syn::{Expr, ExprPath, LitStr};

use crate::args::{Args, OptionArg};
use crate::batch::Batch;
use crate::breaker::{Breaker, Rate};
use crate::errors::Errors;
use crate::retry::Retry;
use crate::slots::{Names, Once, Slot};
use crate::{suggest, values};

/// The names of all options, in the order of the documentation.
const NAMES: Names = Names {
    listed: &[
        "timeout",
        "retry",
        "on_error",
        "error_hook",
        "ack",
        "concurrency",
        "prefetch",
        "queue",
        "name",
        "group",
        "priority",
        "when",
        "ordered_by",
        "batch",
        "breaker",
        "rate_limit",
        "queue_type",
        "max_length",
        "overflow",
        "ttl",
        "max_priority",
        "single_active",
        "exclusive",
        "fanout",
        "exchange",
        "exchange_kind",
        "declare",
        "formerly",
        "crate",
    ],
    aliases: &["auto_ack", "exception_handler", "nack_on_exception", "requeue_on_exception"],
    foreign: suggest::foreign,
};

/// What an AMQP table can say of a length.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// What is set of a handler's options; each value is fine for itself.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) timeout: Slot<Option<Duration>>,
    pub(crate) retry: Slot<Retry>,
    pub(crate) on_error: Slot<OnError>,
    pub(crate) error_hook: Slot<ExprPath>,
    pub(crate) ack: Slot<AckMode>,
    pub(crate) concurrency: Slot<u16>,
    pub(crate) prefetch: Slot<u16>,
    pub(crate) queue: Slot<LitStr>,
    pub(crate) name: Slot<LitStr>,
    pub(crate) group: Slot<LitStr>,
    pub(crate) priority: Slot<i32>,
    pub(crate) when: Slot<Expr>,
    pub(crate) ordered_by: Slot<LitStr>,
    pub(crate) batch: Slot<Batch>,
    pub(crate) breaker: Slot<Breaker>,
    pub(crate) rate_limit: Slot<Rate>,
    pub(crate) queue_type: Slot<QueueType>,
    pub(crate) max_length: Slot<u64>,
    pub(crate) overflow: Slot<WhenFull>,
    pub(crate) ttl: Slot<Duration>,
    pub(crate) max_priority: Slot<u8>,
    pub(crate) single_active: Slot<bool>,
    pub(crate) exclusive: Slot<bool>,
    pub(crate) fanout: Slot<Fanout>,
    pub(crate) exchange: Slot<LitStr>,
    pub(crate) exchange_kind: Slot<ExchangeKind>,
    pub(crate) declare: Slot<Declare>,
    pub(crate) formerly: Slot<LitStr>,
}

// The variants bear the names of the runtime's, so that they print as those.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnError {
    Retry,
    DeadLetter,
    Requeue,
    Discard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckMode {
    OnSuccess,
    OnReceive,
    Manual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueType {
    Quorum,
    Classic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    DropOldest,
    RejectNew,
    Block,
    Adaptive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fanout {
    Each,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeKind {
    Topic,
    Direct,
    Fanout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declare {
    Never,
}

const ON_ERROR: &[(&str, OnError)] = &[
    ("retry", OnError::Retry),
    ("dead_letter", OnError::DeadLetter),
    ("requeue", OnError::Requeue),
    ("discard", OnError::Discard),
];
const ACK: &[(&str, AckMode)] =
    &[("on_success", AckMode::OnSuccess), ("on_receive", AckMode::OnReceive), ("manual", AckMode::Manual)];
const QUEUE_TYPE: &[(&str, QueueType)] = &[("quorum", QueueType::Quorum), ("classic", QueueType::Classic)];
const OVERFLOW: &[(&str, WhenFull)] = &[
    ("reject-new", WhenFull::RejectNew),
    ("drop-oldest", WhenFull::DropOldest),
    ("block", WhenFull::Block),
    ("adaptive", WhenFull::Adaptive),
    // As AMQP has it.
    ("reject-publish", WhenFull::RejectNew),
    ("drop-head", WhenFull::DropOldest),
];
const FANOUT: &[(&str, Fanout)] = &[("each", Fanout::Each)];
const EXCHANGE_KIND: &[(&str, ExchangeKind)] =
    &[("topic", ExchangeKind::Topic), ("direct", ExchangeKind::Direct), ("fanout", ExchangeKind::Fanout)];
const DECLARE: &[(&str, Declare)] = &[("never", Declare::Never)];

const HOOK_SIGNATURE: &str = "(error: &HandlerError, message: &Metadata)";
const FILTER_SIGNATURE: &str = "(message: &Metadata) -> bool";

impl Options {
    /// Reads the values of a handler's options.
    pub(crate) fn read(args: &Args, errors: &Errors) -> Self {
        let place = args.place();
        let mut options = Self::default();
        for option in &args.options {
            options.set(&Once { option, place: &place, errors });
        }
        options
    }

    fn set(&mut self, once: &Once) {
        match once.option.name().as_str() {
            "timeout" => once.set(&mut self.timeout, values::timeout),
            "retry" => once.set(&mut self.retry, Retry::read),
            "on_error" => once.set(&mut self.on_error, |option| values::word(option, ON_ERROR)),
            "nack_on_exception" | "requeue_on_exception" => once.set(&mut self.on_error, on_exception),
            "error_hook" | "exception_handler" => {
                once.set(&mut self.error_hook, |option| values::function(option, HOOK_SIGNATURE));
            }
            "ack" => once.set(&mut self.ack, |option| values::word(option, ACK)),
            "auto_ack" => once.set(&mut self.ack, auto_ack),
            "concurrency" => once.set(&mut self.concurrency, |option| values::number(option, 1..=u16::MAX)),
            "prefetch" => once.set(&mut self.prefetch, |option| values::number(option, 1..=u16::MAX)),
            "queue" => once.set(&mut self.queue, values::queue_name),
            "name" => once.set(&mut self.name, values::name),
            "group" => once.set(&mut self.group, values::name),
            "priority" => once.set(&mut self.priority, |option| values::number(option, i32::MIN..=i32::MAX)),
            "when" => {
                once.set(&mut self.when, |option| values::function_or_closure(option, FILTER_SIGNATURE));
            }
            "ordered_by" => once.set(&mut self.ordered_by, values::order),
            "batch" => once.set(&mut self.batch, Batch::read),
            "breaker" => once.set(&mut self.breaker, Breaker::read),
            "rate_limit" => once.set(&mut self.rate_limit, Rate::read),
            "queue_type" => once.set(&mut self.queue_type, |option| values::word(option, QUEUE_TYPE)),
            "max_length" => {
                once.set(&mut self.max_length, |option| values::number(option, 1..=LENGTH_MAX));
            }
            "overflow" => once.set(&mut self.overflow, |option| values::word(option, OVERFLOW)),
            "ttl" => once.set(&mut self.ttl, values::queue_time),
            "max_priority" => once.set(&mut self.max_priority, |option| values::number(option, 1..=u8::MAX)),
            "single_active" => once.set(&mut self.single_active, values::flag),
            "exclusive" => once.set(&mut self.exclusive, values::flag),
            "fanout" => once.set(&mut self.fanout, |option| values::word(option, FANOUT)),
            "exchange" => once.set(&mut self.exchange, values::name),
            "exchange_kind" => {
                once.set(&mut self.exchange_kind, |option| values::word(option, EXCHANGE_KIND));
            }
            "declare" => once.set(&mut self.declare, |option| values::word(option, DECLARE)),
            "formerly" => once.set(&mut self.formerly, values::path_in_quotes),
            _ => once.unknown(&NAMES),
        }
    }
}

impl Options {
    /// Whether the handler's queue belongs to others.
    pub(crate) fn has_foreign_queue(&self) -> bool {
        self.declare.is_some() && self.queue.is_some()
    }
}

/// `true` is another attempt, `false` the dead letters.
fn on_exception(option: &OptionArg) -> syn::Result<OnError> {
    values::flag(option).map(|again| if again { OnError::Retry } else { OnError::DeadLetter })
}

/// `true` is before the handler starts, `false` leaves it to the handler.
fn auto_ack(option: &OptionArg) -> syn::Result<AckMode> {
    values::flag(option).map(|auto| if auto { AckMode::OnReceive } else { AckMode::Manual })
}

/// The name under which two spellings of one option are the same.
pub(crate) fn canonical(name: &str) -> &str {
    match name {
        "nack_on_exception" | "requeue_on_exception" => "on_error",
        "exception_handler" => "error_hook",
        "auto_ack" => "ack",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_is_none_of_ours() {
        for name in [NAMES.listed, NAMES.aliases].concat() {
            assert_eq!(suggest::foreign(name), None, "{name}");
        }
    }
}
