//! A topology in the words of a RabbitMQ definitions file: what is exported, remembered on the broker, and compared.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{Binding, Destination, Exchange, ExchangeKind, Queue, Topology};
use crate::binding_key::BindingKey;
use crate::envelope::{HeaderValue, Headers};
use crate::names::{ExchangeName, QueueName};

/// Exchanges, queues and bindings under the names that RabbitMQ gives them in definitions files and in its management API.
///
/// Exclusive queues are never in it: they belong to a connection and end with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definitions {
    /// The queues.
    pub queues: Vec<QueueDefinition>,
    /// The exchanges.
    pub exchanges: Vec<ExchangeDefinition>,
    /// The bindings.
    pub bindings: Vec<BindingDefinition>,
}

/// The arguments of a queue, an exchange or a binding.
pub type Arguments = BTreeMap<String, Value>;

/// An exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangeDefinition {
    /// Its name.
    pub name: String,
    /// How it routes: `topic`, `direct`, `fanout`, or what a plugin adds.
    #[serde(rename = "type")]
    pub kind: String,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Deleted when its last binding goes.
    pub auto_delete: bool,
    /// Takes messages from other exchanges only.
    #[serde(default)]
    pub internal: bool,
    /// Further arguments; Bus declares none.
    #[serde(default, deserialize_with = "arguments")]
    pub arguments: Arguments,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueDefinition {
    /// Its name.
    pub name: String,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Deleted when its last consumer goes.
    pub auto_delete: bool,
    /// What AMQP calls `x-arguments`.
    #[serde(default, deserialize_with = "arguments")]
    pub arguments: Arguments,
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BindingDefinition {
    /// The exchange that messages come from.
    pub source: String,
    /// The queue or exchange that they go to.
    pub destination: String,
    /// Which of the two that is.
    pub destination_type: DestinationType,
    /// The binding key.
    pub routing_key: String,
    /// Further arguments; Bus declares none.
    #[serde(default, deserialize_with = "arguments")]
    pub arguments: Arguments,
}

/// What a binding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationType {
    /// A queue.
    Queue,
    /// Another exchange.
    Exchange,
}

impl Definitions {
    /// Adds everything of `other` whose name is not there yet.
    pub(crate) fn merge(&mut self, other: Definitions) {
        let Definitions { queues, exchanges, bindings } = other;
        for queue in queues {
            if self.queue(&queue.name).is_none() {
                self.queues.push(queue);
            }
        }
        for exchange in exchanges {
            if self.exchange(&exchange.name).is_none() {
                self.exchanges.push(exchange);
            }
        }
        for binding in bindings {
            if !self.bindings.contains(&binding) {
                self.bindings.push(binding);
            }
        }
    }

    /// The queue of this name.
    pub(crate) fn queue(&self, name: &str) -> Option<&QueueDefinition> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// The exchange of this name.
    pub(crate) fn exchange(&self, name: &str) -> Option<&ExchangeDefinition> {
        self.exchanges.iter().find(|exchange| exchange.name == name)
    }

    /// Whether the queue or exchange that a binding leads to is here.
    pub(crate) fn has_destination_of(&self, binding: &BindingDefinition) -> bool {
        match binding.destination_type {
            DestinationType::Queue => self.queue(&binding.destination).is_some(),
            DestinationType::Exchange => self.exchange(&binding.destination).is_some(),
        }
    }

    /// A definitions file that RabbitMQ imports into this virtual host.
    #[must_use]
    pub fn document(&self, vhost: &str) -> Value {
        let of_vhost = |item: Value| match item {
            Value::Object(mut fields) => {
                fields.insert("vhost".to_owned(), json!(vhost));
                Value::Object(fields)
            }
            other => other,
        };
        let Value::Object(parts) = json!(self) else { return Value::Null };
        parts
            .into_iter()
            .map(|(name, part)| match part {
                Value::Array(items) => (name, items.into_iter().map(of_vhost).collect()),
                other => (name, other),
            })
            .collect()
    }
}

impl From<&Topology> for Definitions {
    fn from(topology: &Topology) -> Self {
        let lasting = topology.lasting();
        Self {
            queues: lasting.queues.iter().map(QueueDefinition::from).collect(),
            exchanges: lasting.exchanges.iter().map(ExchangeDefinition::from).collect(),
            bindings: lasting.bindings.iter().map(BindingDefinition::from).collect(),
        }
    }
}

impl From<&Queue> for QueueDefinition {
    fn from(queue: &Queue) -> Self {
        Self {
            name: queue.name.to_string(),
            durable: queue.durable,
            auto_delete: queue.auto_delete,
            arguments: values(&queue.arguments.to_table()),
        }
    }
}

impl From<&Exchange> for ExchangeDefinition {
    fn from(exchange: &Exchange) -> Self {
        Self {
            name: exchange.name.to_string(),
            kind: exchange.kind.to_string(),
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: false,
            arguments: Arguments::new(),
        }
    }
}

impl From<&Binding> for BindingDefinition {
    fn from(binding: &Binding) -> Self {
        let (destination_type, destination) = match &binding.destination {
            Destination::Queue(queue) => (DestinationType::Queue, queue.to_string()),
            Destination::Exchange(exchange) => (DestinationType::Exchange, exchange.to_string()),
        };
        Self {
            source: binding.exchange.to_string(),
            destination,
            destination_type,
            routing_key: binding.key.to_string(),
            arguments: Arguments::new(),
        }
    }
}

impl BindingDefinition {
    /// The binding, when Bus can have made it.
    pub(crate) fn to_binding(&self) -> Option<Binding> {
        let destination = match self.destination_type {
            DestinationType::Queue => Destination::Queue(QueueName::new(&self.destination).ok()?),
            DestinationType::Exchange => Destination::Exchange(ExchangeName::new(&self.destination).ok()?),
        };
        let exchange = ExchangeName::new(&self.source).ok()?;
        let key = BindingKey::parse(&self.routing_key).ok()?;
        self.arguments.is_empty().then_some(Binding { exchange, destination, key })
    }
}

impl ExchangeDefinition {
    /// The exchange, when Bus can have declared it.
    pub(crate) fn to_exchange(&self) -> Option<Exchange> {
        let kind = match self.kind.as_str() {
            "topic" => ExchangeKind::Topic,
            "direct" => ExchangeKind::Direct,
            "fanout" => ExchangeKind::Fanout,
            _ => return None,
        };
        let name = ExchangeName::new(&self.name).ok()?;
        Some(Exchange { name, kind, durable: self.durable, auto_delete: self.auto_delete })
    }
}

/// `react --wiki.#--> wiki.on_wiki.react`.
impl fmt::Display for BindingDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, destination_type, routing_key, arguments } = self;
        let exchange = match destination_type {
            DestinationType::Queue => "",
            DestinationType::Exchange => "exchange ",
        };
        write!(f, "{source} --{routing_key}--> {exchange}{destination}")?;
        match arguments.is_empty() {
            true => Ok(()),
            false => write!(f, " {}", json!(arguments)),
        }
    }
}

fn values(table: &Headers) -> Arguments {
    let value = |value: &HeaderValue| match value {
        HeaderValue::Int(number) => json!(number),
        HeaderValue::Bool(flag) => json!(flag),
        other => json!(other.to_string()),
    };
    table.iter().map(|(name, item)| (name.to_owned(), value(item))).collect()
}

/// Reads a table. RabbitMQ writes an empty one as `{}` or as `[]`, by version.
fn arguments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arguments, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(fields) => Ok(fields.into_iter().collect()),
        _ => Ok(Arguments::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::QueueType;

    #[test]
    fn a_document_names_the_vhost_and_keeps_the_types() {
        let mut queue = Queue::durable(QueueName::new("mail").unwrap(), QueueType::Quorum);
        queue.arguments.max_length = Some(7);
        queue.arguments.single_active_consumer = true;
        let topology = Topology { queues: vec![queue], ..Topology::default() };
        let document = Definitions::from(&topology).document("prod");
        assert_eq!(
            document["queues"],
            json!([{
                "name": "mail", "vhost": "prod", "durable": true, "auto_delete": false,
                "arguments": { "x-max-length": 7, "x-queue-type": "quorum", "x-single-active-consumer": true },
            }])
        );
        assert_eq!(serde_json::from_value::<Definitions>(document).unwrap(), Definitions::from(&topology));
    }

    #[test]
    fn exclusive_queues_and_their_bindings_do_not_last() {
        let mut own = Queue::durable(QueueName::new("own").unwrap(), QueueType::Classic);
        own.exclusive = true;
        let binding = Binding {
            exchange: ExchangeName::new("react").unwrap(),
            destination: Destination::Queue(own.name.clone()),
            key: BindingKey::parse("#").unwrap(),
        };
        let topology = Topology { queues: vec![own], bindings: vec![binding], ..Topology::default() };
        assert_eq!(Definitions::from(&topology), Definitions::default());
    }

    #[test]
    fn empty_arguments_come_in_two_spellings() {
        for empty in ["{}", "[]"] {
            let text = format!(
                r#"{{"source":"a","destination":"b","destination_type":"queue","routing_key":"k","arguments":{empty}}}"#
            );
            let binding: BindingDefinition = serde_json::from_str(&text).unwrap();
            assert_eq!(binding.to_string(), "a --k--> b");
            assert!(binding.to_binding().is_some());
        }
    }
}
