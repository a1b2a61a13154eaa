//! Documents about a program for people and other programs: AsyncAPI, JSON Schemas, diagrams, tables. Pure.

mod asyncapi;
mod diagram;
mod markdown;
mod schema;
mod yaml;

pub(crate) use asyncapi::asyncapi;
pub(crate) use diagram::{dot, mermaid};
pub(crate) use markdown::markdown;
pub(crate) use schema::schemas;
pub(crate) use yaml::yaml;

use crate::message::MessageType;
use crate::registration::{MessageRegistration, PublishRegistration, Published};
use crate::topology::{Plan, PlanSettings};

/// What the documents are about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'p> {
    pub(crate) name: &'p str,
    pub(crate) version: Option<&'p str>,
    pub(crate) plan: &'p Plan,
    pub(crate) settings: &'p PlanSettings,
    pub(crate) messages: &'p [&'static MessageRegistration],
    pub(crate) published: &'p [&'static PublishRegistration],
}

/// A key that the program says it publishes.
pub(crate) struct Sent<'p> {
    pub(crate) exchange: String,
    pub(crate) key: &'static str,
    pub(crate) message: Option<MessageType>,
    /// The handler that does, where that is said.
    pub(crate) by: Option<&'p str>,
}

impl<'p> Subject<'p> {
    /// Every key that `publishes!` names.
    fn sent(self) -> Vec<Sent<'p>> {
        let of_one = |one: &&'static PublishRegistration| {
            let (exchange, keys, message) = match one.what {
                Published::Audit(keys) => (self.settings.audit.as_str(), keys.to_vec(), None),
                Published::React(keys) => (self.settings.react.as_str(), keys.to_vec(), None),
                Published::Message(message) => {
                    (self.exchange_of(&message), vec![message.topic], Some(message))
                }
            };
            let by = one.by.and_then(|by| self.plan.handlers.iter().find(|entry| (entry.identity)() == by()));
            let by = by.map(|entry| entry.name.as_str());
            let exchange = format!("{}{exchange}", self.settings.prefix);
            let sent = move |key| Sent { exchange: exchange.clone(), key, message, by };
            keys.into_iter().map(sent).collect::<Vec<_>>()
        };
        self.published.iter().flat_map(of_one).collect()
    }

    /// The exchange of a message type, without the prefix of tests.
    fn exchange_of(self, message: &MessageType) -> &'p str {
        message.exchange.unwrap_or(&self.settings.messages)
    }
}
