//! The options of the three handler attributes, each with its type.

use std::time::Duration;

use proc_macro2::Ident;
use syn::{ExprPath, LitStr};

use crate::args::{Attribute, OptionArg, Value};
use crate::errors::{Errors, options as texts};
use crate::{suggest, values};

/// Every option of a handler in the order of the documentation.
const HANDLER: &[&str] = &[
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
    "queue_type",
    "max_length",
    "overflow",
    "ttl",
    "max_priority",
    "single_active",
    "exclusive",
    "fanout",
    "crate",
];
/// Other spellings of these, which are not advertised in errors.
const ALIASES: &[&str] = &["auto_ack", "exception_handler", "nack_on_exception", "requeue_on_exception"];
/// What is designed but not built yet: an error, and never silently ignored.
const UNAVAILABLE: &[&str] =
    &["batch", "breaker", "declare", "exchange", "exchange_kind", "formerly", "ordered_by", "rate_limit"];
/// The settings of `retry(..)`.
const RETRY: &[&str] = &["max", "initial", "factor", "max_delay", "jitter", "give_up_after"];
/// The options of an event.
const EVENT: &[&str] = &["version", "exchange", "terminal", "ttl", "priority", "crate"];
/// The options of a task.
const TASK: &[&str] = &["version", "exchange", "ttl", "priority", "crate"];
/// The options of a command.
const COMMAND: &[&str] = &["reply", "version", "exchange", "ttl", "priority", "crate"];

/// The most retries; the delivery limit of our queues is 100 and must not be met first.
const RETRIES_MAX: u32 = 90;
/// No delay needs to grow faster.
const FACTOR_MAX: f64 = 100.0;

/// What an AMQP table can say of a length.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// An option that may be set, and the name under which it was.
pub(crate) type Slot<T> = Option<Given<T>>;

/// A value, and the name under which it was given.
pub(crate) struct Given<T> {
    pub(crate) keyword: Ident,
    pub(crate) value: T,
}

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
    pub(crate) when: Slot<ExprPath>,
    pub(crate) queue_type: Slot<QueueType>,
    pub(crate) max_length: Slot<u64>,
    pub(crate) overflow: Slot<Overflow>,
    pub(crate) ttl: Slot<Duration>,
    pub(crate) max_priority: Slot<u8>,
    pub(crate) single_active: Slot<bool>,
    pub(crate) exclusive: Slot<bool>,
    pub(crate) fanout: Slot<Fanout>,
}

/// The settings of `retry(..)`; `retry = "none"` is a `max` of 0.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) max: Slot<u32>,
    pub(crate) initial: Slot<Duration>,
    pub(crate) factor: Slot<f64>,
    pub(crate) max_delay: Slot<Duration>,
    pub(crate) jitter: Slot<f64>,
    pub(crate) give_up_after: Slot<Duration>,
    pub(crate) none: bool,
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
pub(crate) enum Overflow {
    DropHead,
    RejectPublish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fanout {
    Each,
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
const OVERFLOW: &[(&str, Overflow)] =
    &[("drop-head", Overflow::DropHead), ("reject-publish", Overflow::RejectPublish)];
const FANOUT: &[(&str, Fanout)] = &[("each", Fanout::Each)];

const HOOK_SIGNATURE: &str = "(error: &HandlerError, message: &Metadata)";
const FILTER_SIGNATURE: &str = "(message: &Metadata) -> bool";

impl Options {
    /// Reads the values of a handler's options.
    pub(crate) fn read(attribute: Attribute, given: &[OptionArg], errors: &Errors) -> Self {
        let mut options = Self::default();
        for option in given {
            options.set(option, attribute, errors);
        }
        options
    }

    fn set(&mut self, option: &OptionArg, attribute: Attribute, errors: &Errors) {
        let once = Once { option, place: &attribute.place(), errors };
        match option.name().as_str() {
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
            "when" => once.set(&mut self.when, |option| values::function(option, FILTER_SIGNATURE)),
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
            _ => unknown(option, &attribute.place(), HANDLER, &[ALIASES, UNAVAILABLE].concat(), errors),
        }
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

impl Retry {
    /// Reads `retry = "none"` or `retry(max = 5, initial = "1s", ..)`.
    fn read(option: &OptionArg) -> syn::Result<Self> {
        const EXAMPLE: &str = "retry(max = 5, initial = \"1s\")   or   retry = \"none\"";
        let errors = Errors::new();
        let mut retry = Self { none: values::is_none(option), ..Self::default() };
        match &option.value {
            Value::List(inside, _) => {
                let settings = OptionArg::parse_list(inside.clone(), &errors);
                if inside.is_empty() {
                    errors.push(values::problem(option, texts::empty_list("retry", EXAMPLE)));
                }
                settings.iter().for_each(|setting| retry.set(setting, &errors));
            }
            _ if retry.none => retry.max = Some(Given { keyword: option.keyword.clone(), value: 0 }),
            _ => errors.push(values::problem(option, texts::no_list("retry", EXAMPLE))),
        }
        errors.check().map(|()| retry)
    }

    fn set(&mut self, setting: &OptionArg, errors: &Errors) {
        let once = Once { option: setting, place: "retry(..)", errors };
        match setting.name().as_str() {
            "max" => once.set(&mut self.max, |setting| values::number(setting, 0..=RETRIES_MAX)),
            "initial" => once.set(&mut self.initial, values::queue_time),
            "factor" => once.set(&mut self.factor, |setting| values::fraction(setting, 1.0..=FACTOR_MAX)),
            "max_delay" => once.set(&mut self.max_delay, values::queue_time),
            "jitter" => once.set(&mut self.jitter, values::part),
            "give_up_after" => once.set(&mut self.give_up_after, values::duration),
            _ => unknown(setting, "retry(..)", RETRY, &[], errors),
        }
    }
}

/// Fills slots, each at most once.
pub(crate) struct Once<'a> {
    pub(crate) option: &'a OptionArg,
    /// Where the option stands: `#[react(..)]`, `retry(..)`.
    pub(crate) place: &'a str,
    pub(crate) errors: &'a Errors,
}

impl Once<'_> {
    /// Reads the option's value into its slot, unless that is filled already.
    pub(crate) fn set<T>(&self, slot: &mut Slot<T>, read: impl FnOnce(&OptionArg) -> syn::Result<T>) {
        let Self { option, place, errors } = self;
        let Some(earlier) = slot else {
            let value = errors.ok(read(option));
            *slot = value.map(|value| Given { keyword: option.keyword.clone(), value });
            return;
        };
        let text = match (option.name(), earlier.keyword.to_string()) {
            (name, earlier) if name == earlier => texts::twice(&name, *place),
            (name, earlier) => texts::said_twice(&name, &earlier, *place),
        };
        errors.add(&option.keyword, text);
    }
}

/// The names of all options of a kind of message.
pub(crate) fn of_message(kind: Attribute) -> &'static [&'static str] {
    match kind {
        Attribute::Event => EVENT,
        Attribute::Command => COMMAND,
        _ => TASK,
    }
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

/// Reports an option that is not there: not yet, or misspelt, or of another framework.
///
/// The hidden names are those that errors do not list.
pub(crate) fn unknown(option: &OptionArg, place: &str, known: &[&str], hidden: &[&str], errors: &Errors) {
    let name = option.name();
    if hidden.contains(&name.as_str()) {
        errors.add(option, texts::unavailable(&name));
        return;
    }
    let names = known.join(", ");
    let near = suggest::nearest(&name, known.iter().chain(hidden).copied());
    let near = near.map(|near| format!("did you mean `{near}`?"));
    let foreign = suggest::foreign(&name).filter(|_| known == HANDLER).map(str::to_owned);
    let text = match foreign.or(near) {
        Some(help) => texts::unknown(&name, place, &help, &names),
        None => texts::unknown_unlike(&name, place, &names),
    };
    errors.add(&option.keyword, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_is_none_of_ours() {
        for name in [HANDLER, ALIASES, UNAVAILABLE].concat() {
            assert_eq!(suggest::foreign(name), None, "{name}");
        }
    }
}
