//! One handler as the plan knows it: a registration with every default filled in.

use std::any::TypeId;
use std::time::Duration;

use super::batch::BatchEntry;
use super::order::OrderedBy;
use crate::binding_key::BindingKey;
use crate::error::{Error, ErrorKind, Place};
use crate::extract::Arguments;
use crate::instances::InstanceFinder;
use crate::message::{MessageKind, MessageType};
use crate::names::{ExchangeName, QueueName};
use crate::policy::{AckMode, BreakerPolicy, OnError, RateLimit, RetryPolicy};
use crate::registration::{Callee, ErrorHook, Filter};

/// What a handler is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HandlerKind {
    /// Messages of the `audit` exchange.
    Audit,
    /// Messages of the `react` exchange.
    React,
    /// One message type.
    Message(MessageKind),
}

impl HandlerKind {
    /// `audit`, `react`, `event`, `task` or `command`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::React => "react",
            Self::Message(kind) => kind.as_str(),
        }
    }
}

/// One handler as the plan knows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the option of that name, documented at the attributes")]
pub struct HandlerEntry {
    /// The path of the function, or the name it was given.
    pub name: String,
    /// The crate, or the group it was given.
    pub group: String,
    /// What it is for.
    pub kind: HandlerKind,
    /// The exchange that its queue is bound to.
    pub exchange: ExchangeName,
    /// What its queue is bound with; all attributes of the function and exchange together.
    pub keys: Vec<CapturingKey>,
    /// Its message type, when it has one.
    pub message: Option<MessageType>,
    /// Its queue.
    pub queue: QueueName,
    /// Where its dead letters are.
    pub dead: QueueName,
    /// After how long it is cancelled; `None` is never.
    pub timeout: Option<Duration>,
    pub retry: RetryPolicy,
    pub on_error: OnError,
    pub error_hook: Option<ErrorHook>,
    pub ack: AckMode,
    pub concurrency: u16,
    pub prefetch: u16,
    /// Higher first, inside a shared queue.
    pub priority: i32,
    pub when: Option<Filter>,
    pub breaker: Option<BreakerPolicy>,
    pub rate_limit: Option<RateLimit>,
    /// Whether its queue is filled by others, through exchanges that it does not know.
    pub(crate) any_exchange: bool,
    /// The path that it had.
    pub formerly: Option<&'static str>,
    /// What its messages are handled one after another by.
    pub ordered_by: Option<OrderedBy>,
    pub batch: Option<BatchEntry>,
    /// Where its first attribute stands.
    pub place: Place,
    /// What its doc comment says.
    pub docs: &'static str,
    pub(crate) identity: fn() -> TypeId,
    pub(crate) arguments: fn(&mut Arguments),
    /// How the instances are found that it is called for, if it is a method.
    pub(crate) instances: Option<InstanceFinder>,
    pub(crate) callee: Callee,
}

impl HandlerEntry {
    /// Whether it handles a command: somebody waits for what it returns.
    pub(crate) fn is_command(&self) -> bool {
        self.kind == HandlerKind::Message(MessageKind::Command)
    }

    /// Whether its messages have exactly one handler: tasks and commands.
    pub(crate) fn is_for_one(&self) -> bool {
        matches!(self.kind, HandlerKind::Message(kind) if kind.wants_one_handler())
    }

    /// What its messages are, where that has to be one of a few: the topic of their type, else `audit` or `react`.
    pub(crate) fn type_label(&self) -> &str {
        self.message.map_or(self.kind.as_str(), |message| message.topic)
    }

    /// Where its messages come from, as one name that does not depend on the message: exchange, binding key and queue.
    #[cfg(feature = "admin")]
    pub(crate) fn destination_template(&self) -> String {
        let key = self.keys.first().map_or("", |key| key.key.as_str());
        let parts = [self.exchange.as_str(), key, self.queue.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":")
    }

    /// Whether a message of this type and routing key is for it.
    pub(crate) fn wants(&self, exchange: &str, routing_key: &str, message_type: Option<&str>) -> bool {
        let of_this_type = match (&self.message, message_type) {
            (Some(message), Some(actual)) => message.topic == actual,
            _ => true,
        };
        let of_this_exchange = self.any_exchange || self.exchange == exchange;
        of_this_type && of_this_exchange && self.keys.iter().any(|key| key.key.matches(routing_key))
    }

    /// The Rust type that it takes the body as, if it takes it.
    #[cfg(feature = "cli")]
    pub(crate) fn payload(&self) -> Option<&'static str> {
        let mut arguments = Arguments::default();
        (self.arguments)(&mut arguments);
        arguments.payload
    }

    /// The word of a routing key that `{name}` stands for, by the first of its keys that matches and captures it.
    pub(crate) fn capture<'k>(&self, name: &str, routing_key: &'k str) -> Option<&'k str> {
        self.keys.iter().find_map(|key| key.capture(name, routing_key))
    }
}

/// A binding key in which words may be named: `wiki.{page}.edited` binds `wiki.*.edited`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturingKey {
    /// As it stands in the attribute.
    pub text: String,
    /// As the broker knows it.
    pub key: BindingKey,
    captures: Vec<(String, usize)>,
}

impl CapturingKey {
    /// Reads a key as an attribute holds it.
    pub(crate) fn parse(text: &str, place: Place) -> Result<Self, Error> {
        let mut captures = Vec::new();
        let words: Vec<&str> = text
            .split('.')
            .enumerate()
            .map(|(position, word)| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
                Some(name) => {
                    captures.push((name.to_owned(), position));
                    "*"
                }
                None => word,
            })
            .collect();
        let key = BindingKey::parse(words.join(".")).map_err(|error| {
            Error::new(ErrorKind::Registration, format!("`{text}` is not a binding key: {error}"))
                .with_place(place, "declared here")
        })?;
        Ok(Self { text: text.to_owned(), key, captures })
    }

    /// Whether it names a word so.
    pub(super) fn captures(&self, name: &str) -> bool {
        self.captures.iter().any(|(capture, _)| capture == name)
    }

    fn capture<'k>(&self, name: &str, routing_key: &'k str) -> Option<&'k str> {
        let (_, position) = self.captures.iter().find(|(capture, _)| capture == name)?;
        self.key.matches(routing_key).then(|| routing_key.split('.').nth(*position)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { file: "src/lib.rs", line: 1, column: 1 };

    #[test]
    fn a_named_word_is_one_word_on_the_wire_and_comes_back() {
        let key = CapturingKey::parse("wiki.{page}.edited", PLACE).unwrap();
        assert_eq!(key.key.as_str(), "wiki.*.edited");
        assert_eq!(key.capture("page", "wiki.home.edited"), Some("home"));
        assert_eq!(key.capture("page", "wiki..edited"), Some(""));
        assert_eq!(key.capture("page", "wiki.home.deleted"), None);
        assert_eq!(key.capture("user", "wiki.home.edited"), None);
    }
}
