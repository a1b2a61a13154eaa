//! AsyncAPI 3.0: what a program receives and sends, for tools that read it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Sent, Subject, schema};
use crate::message::MessageType;
use crate::registration::MessageRegistration;
use crate::schema::Schemas;
use crate::shape::Shape;
use crate::topology::{ExchangeKind, HandlerEntry, QueueEntry};

/// Of the bindings for AMQP that the document uses.
const BINDING_VERSION: &str = "0.3.0";

/// The document.
pub(crate) fn asyncapi(subject: Subject<'_>) -> Value {
    let mut document = Document::new(subject);
    for registration in subject.messages {
        document.message(registration);
    }
    for entry in &subject.plan.handlers {
        document.receive(entry);
    }
    for sent in subject.sent() {
        document.send(&sent);
    }
    let Document { subject, channels, operations, messages, schemas } = document;
    let mut components = Map::new();
    components.insert("messages".to_owned(), json!(messages));
    let common = schemas.common();
    if !common.is_empty() {
        components.insert("schemas".to_owned(), Value::Object(common));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": subject.name,
            "version": subject.version.unwrap_or("0.0.0"),
            "description": "Written by `docs asyncapi` from the handlers and messages of the program.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": components,
    })
}

/// The document while it is written.
struct Document<'p> {
    subject: Subject<'p>,
    channels: BTreeMap<String, Value>,
    operations: BTreeMap<String, Value>,
    messages: BTreeMap<String, Value>,
    schemas: Schemas,
}

impl<'p> Document<'p> {
    fn new(subject: Subject<'p>) -> Self {
        Self {
            subject,
            channels: BTreeMap::new(),
            operations: BTreeMap::new(),
            messages: BTreeMap::new(),
            schemas: Schemas::at("/components/schemas"),
        }
    }

    /// A message type; events that the program does not handle are told too: it may publish them.
    fn message(&mut self, registration: &MessageRegistration) {
        let payload = schema::of(registration, &mut self.schemas);
        let message = &registration.message;
        let mut told = json!({
            "name": message.topic,
            "title": message.short_name(),
            "contentType": "application/json",
            "payload": payload,
            "headers": {
                "type": "object",
                "properties": { "bus-version": { "type": "integer", "const": message.version } },
            },
            "tags": [{ "name": message.kind.as_str() }],
            "bindings": { "amqp": { "messageType": message.topic, "bindingVersion": BINDING_VERSION } },
        });
        if let Some(description) = told["payload"]["description"].as_str().map(str::to_owned) {
            told["summary"] = json!(description.lines().next().unwrap_or_default());
        }
        self.messages.insert(id(message.topic), told);
        let exchange = format!("{}{}", self.subject.settings.prefix, self.subject.exchange_of(message));
        self.channel(&exchange, message.topic, &id(message.topic));
    }

    /// The channel of a key, with this message; its id.
    fn channel(&mut self, exchange: &str, key: &str, message: &str) -> String {
        let channel = id(&format!("{exchange}.{key}"));
        let kind = self.subject.plan.topology.exchanges.iter().find(|one| one.name == *exchange);
        let kind = kind.map_or(ExchangeKind::Topic, |one| one.kind);
        let told = self.channels.entry(channel.clone()).or_insert_with(|| {
            let captures: Map<_, _> = captures(key)
                .map(|name| (name.to_owned(), json!({ "description": "One word of the routing key" })))
                .collect();
            let mut told = json!({
                "address": key,
                "messages": {},
                "bindings": { "amqp": {
                    "is": "routingKey",
                    "exchange": {
                        "name": exchange, "type": kind.as_str(), "durable": true, "autoDelete": false, "vhost": "/",
                    },
                    "bindingVersion": BINDING_VERSION,
                } },
            });
            if !captures.is_empty() {
                told["parameters"] = Value::Object(captures);
            }
            told
        });
        told["messages"][message] = json!({ "$ref": format!("#/components/messages/{message}") });
        channel
    }

    /// What a handler receives.
    fn receive(&mut self, entry: &HandlerEntry) {
        let queue = self.subject.plan.queues.iter().find(|queue| queue.name == entry.queue);
        for (number, key) in entry.keys.iter().enumerate() {
            let message = match &entry.message {
                Some(message) => id(message.topic),
                None => self.raw(entry, &key.text),
            };
            let channel = self.channel(&entry.exchange, &key.text, &message);
            let mut operation = json!({
                "action": "receive",
                "channel": { "$ref": format!("#/channels/{channel}") },
                "messages": [{ "$ref": format!("#/channels/{channel}/messages/{message}") }],
                "title": entry.name,
                "tags": [{ "name": entry.kind.as_str() }, { "name": entry.group }],
                "bindings": { "amqp": { "ack": true, "bindingVersion": BINDING_VERSION } },
                "x-bus-queue": of_queue(entry, queue.map(|queue| &**queue)),
                "x-bus-source": format!("{}:{}", entry.place.file, entry.place.line),
            });
            if let Some(summary) = entry.docs.lines().next() {
                operation["summary"] = json!(summary);
                operation["description"] = json!(entry.docs);
            }
            if entry.is_command() {
                operation["reply"] = json!({ "address": { "location": "$message.header#/replyTo" } });
            }
            let mut name = id(&format!("{}.{}", entry.name, entry.exchange));
            if number > 0 {
                name.push_str(&format!("_{}", number + 1));
            }
            self.operations.insert(name, operation);
        }
    }

    /// A message without a type of its own: as the handler takes it.
    fn raw(&mut self, entry: &HandlerEntry, key: &str) -> String {
        let name = id(&format!("{}.{key}", entry.exchange));
        let payload = entry.shape().map_or_else(|| json!({}), |shape| schema::of_shape(&shape()));
        let told = json!({
            "name": key,
            "title": entry.payload().unwrap_or("any"),
            "payload": payload,
            "tags": [{ "name": entry.kind.as_str() }],
        });
        self.messages.entry(name.clone()).or_insert(told);
        name
    }

    fn send(&mut self, sent: &Sent<'_>) {
        let message = match &sent.message {
            Some(message) => {
                self.known(message);
                id(message.topic)
            }
            None => {
                let name = id(&format!("{}.{}", sent.exchange, sent.key));
                let told = json!({ "name": sent.key, "title": "any", "payload": {} });
                self.messages.entry(name.clone()).or_insert(told);
                name
            }
        };
        let channel = self.channel(&sent.exchange, sent.key, &message);
        let by = sent.by.unwrap_or(self.subject.name);
        let operation = json!({
            "action": "send",
            "channel": { "$ref": format!("#/channels/{channel}") },
            "messages": [{ "$ref": format!("#/channels/{channel}/messages/{message}") }],
            "title": format!("{by} publishes {}", sent.key),
        });
        self.operations.insert(id(&format!("{by}.sends.{}.{}", sent.exchange, sent.key)), operation);
    }

    /// A message type that was not derived, and is known by its name alone.
    fn known(&mut self, message: &MessageType) {
        let told = json!({ "name": message.topic, "title": message.short_name(), "payload": {} });
        self.messages.entry(id(message.topic)).or_insert(told);
    }
}

fn of_queue(entry: &HandlerEntry, queue: Option<&QueueEntry>) -> Value {
    json!({
        "name": entry.queue.as_str(),
        "deadLetters": entry.dead.as_str(),
        "timeoutSeconds": entry.timeout.map(|time| time.as_secs_f64()),
        "retries": entry.retry.max,
        "concurrency": queue.map_or(entry.concurrency, |queue| queue.concurrency),
    })
}

/// The names of captured words.
fn captures(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
}

/// A text as the name of a part of the document, to which others refer.
fn id(text: &str) -> String {
    let text = text.replace("::", ".").replace('*', "any").replace('#', "all");
    let plain = |one: char| if one.is_ascii_alphanumeric() || "._-".contains(one) { one } else { '_' };
    text.chars().filter(|one| !"{}".contains(*one)).map(plain).collect()
}

impl HandlerEntry {
    /// The shape of the body that it takes, where it takes one of no message type.
    fn shape(&self) -> Option<fn() -> Shape> {
        let mut arguments = crate::extract::Arguments::default();
        (self.arguments)(&mut arguments);
        arguments.shape
    }
}
