//! What the handlers need on the broker, as files for others: RabbitMQ itself, Terraform, Kubernetes.

use serde_json::{Map, Value, json};

use crate::docs::yaml;
use crate::topology::{BindingDefinition, Definitions, DestinationType};

/// For Terraform's provider `cyrilgdn/rabbitmq`, in Terraform's JSON syntax: a file that ends in `.tf.json`.
pub(super) fn terraform(definitions: &Definitions, vhost: &str) -> Value {
    let Definitions { queues, exchanges, bindings } = definitions;
    let resources = |all: Vec<(String, Value)>| all.into_iter().collect::<Map<_, _>>();
    let exchanges = exchanges.iter().map(|one| {
        let settings = json!({ "type": one.kind, "durable": one.durable, "auto_delete": one.auto_delete });
        (label(&one.name), json!({ "name": one.name, "vhost": vhost, "settings": [settings] }))
    });
    let queues = queues.iter().map(|one| {
        let arguments = Value::from_iter(one.arguments.clone()).to_string();
        let settings =
            json!({ "durable": one.durable, "auto_delete": one.auto_delete, "arguments_json": arguments });
        (label(&one.name), json!({ "name": one.name, "vhost": vhost, "settings": [settings] }))
    });
    let bindings = bindings.iter().map(|one| {
        let value = json!({
            "source": one.source,
            "vhost": vhost,
            "destination": one.destination,
            "destination_type": kind(one),
            "routing_key": one.routing_key,
            "depends_on": [format!("rabbitmq_exchange.{}", label(&one.source)), format!("rabbitmq_{}.{}", kind(one), label(&one.destination))],
        });
        (label(&format!("{} {} {}", one.source, one.routing_key, one.destination)), value)
    });
    json!({
        "resource": {
            "rabbitmq_exchange": resources(exchanges.collect()),
            "rabbitmq_queue": resources(queues.collect()),
            "rabbitmq_binding": resources(bindings.collect()),
        }
    })
}

/// For the messaging topology operator of RabbitMQ on Kubernetes, whose cluster has this name.
pub(super) fn kubernetes(definitions: &Definitions, vhost: &str, cluster: &str) -> String {
    let Definitions { queues, exchanges, bindings } = definitions;
    let object = |kind: &str, name: &str, mut spec: Value| {
        spec["vhost"] = vhost.into();
        spec["rabbitmqClusterReference"] = json!({ "name": cluster });
        let metadata = json!({ "name": format!("{}-0", label(name).replace('_', "-")) });
        json!({ "apiVersion": "rabbitmq.com/v1beta1", "kind": kind, "metadata": metadata, "spec": spec })
    };
    let exchanges = exchanges.iter().map(|one| {
        let spec = json!({ "name": one.name, "type": one.kind, "durable": one.durable, "autoDelete": one.auto_delete });
        object("Exchange", &one.name, spec)
    });
    let queues = queues.iter().map(|one| {
        let mut spec = json!({ "name": one.name, "durable": one.durable, "autoDelete": one.auto_delete });
        let mut arguments = one.arguments.clone();
        if let Some(kind) = arguments.remove("x-queue-type") {
            spec["type"] = kind;
        }
        spec["arguments"] = Value::from_iter(arguments);
        object("Queue", &one.name, spec)
    });
    let bindings = bindings.iter().map(|one| {
        let spec = json!({
            "source": one.source,
            "destination": one.destination,
            "destinationType": kind(one),
            "routingKey": one.routing_key,
        });
        object("Binding", &format!("{} {} {}", one.source, one.routing_key, one.destination), spec)
    });
    let all: Vec<_> = exchanges.chain(queues).chain(bindings).map(|object| yaml(&object)).collect();
    all.join("---\n")
}

fn kind(binding: &BindingDefinition) -> &'static str {
    match binding.destination_type {
        DestinationType::Queue => "queue",
        DestinationType::Exchange => "exchange",
    }
}

/// A name in the letters that these tools allow. What is replaced is told by its number, so that two names stay two.
fn label(name: &str) -> String {
    let mut label = String::from("b_");
    for character in name.chars() {
        match character {
            'a'..='z' | '0'..='9' => label.push(character),
            '.' => label.push('_'),
            other => label.push_str(&format!("_{:x}_", u32::from(other))),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_the_tools_allow_and_stay_apart() {
        let names = ["wiki.0", "wiki_0", "wiki.#", "wiki.*", "Wiki", "wiki"];
        let labels: std::collections::BTreeSet<_> = names.into_iter().map(label).collect();
        assert_eq!(labels.len(), names.len());
        let allowed = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
        };
        assert!(labels.iter().all(|label| label.chars().all(allowed)), "{labels:?}");
    }
}
