//! What is told about each difference.

use super::*;
use crate::topology::{Arguments, DestinationType, ExchangeDefinition, QueueDefinition};

fn exchange(name: &str) -> ExchangeDefinition {
    ExchangeDefinition {
        name: name.to_owned(),
        kind: "topic".to_owned(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Arguments::new(),
    }
}

fn queue(name: &str) -> QueueDefinition {
    QueueDefinition { name: name.to_owned(), durable: true, auto_delete: false, arguments: Arguments::new() }
}

/// `react wiki.# wiki` binds the queue `wiki`.
fn binding(text: &str) -> BindingDefinition {
    let [source, routing_key, destination] = text.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{text} is no binding")
    };
    BindingDefinition {
        source: source.to_owned(),
        destination: destination.to_owned(),
        destination_type: DestinationType::Queue,
        routing_key: routing_key.to_owned(),
        arguments: Arguments::new(),
    }
}

fn definitions(exchanges: &[&str], queues: &[&str], bindings: &[&str]) -> Definitions {
    Definitions {
        exchanges: exchanges.iter().map(|name| exchange(name)).collect(),
        queues: queues.iter().map(|name| queue(name)).collect(),
        bindings: bindings.iter().map(|text| binding(text)).collect(),
    }
}

/// A broker that has all of this as it is wanted, and tells its bindings.
fn having(definitions: &Definitions) -> Seen {
    Seen {
        exchanges: definitions.exchanges.iter().map(|exchange| (exchange.name.clone(), Vec::new())).collect(),
        queues: definitions.queues.iter().map(|queue| (queue.name.clone(), SeenQueue::default())).collect(),
        bindings: Some(definitions.bindings.clone()),
    }
}

/// What is told, one line each.
fn told(wanted: &Definitions, ours: &Definitions, others: &Definitions, seen: &Seen) -> Vec<String> {
    let changes = diff(Sides { wanted, ours, others, foreign: &Foreign::default(), renamed: &[], seen });
    let line = |change: &Change| match change {
        Change::MissingExchange { name } => format!("+ exchange {name}"),
        Change::MissingQueue { name, renamed_from: None } => format!("+ queue {name}"),
        Change::MissingQueue { name, renamed_from: Some(old) } => format!("+ queue {name}, once {old}"),
        Change::MissingBinding(binding) => format!("+ {binding}"),
        Change::DifferentExchange { name, differences } => format!("~ exchange {name}: {}", differences[0]),
        Change::DifferentQueue { name, found } => format!("~ queue {name}: {}", found.differences[0]),
        Change::LeftBinding(binding) => format!("- {binding}"),
        Change::LeftQueue { name, .. } => format!("- queue {name}"),
        Change::LeftExchange { name } => format!("- exchange {name}"),
        Change::ForeignBinding(binding) => format!("? {binding}"),
        other => format!("{other:?}"),
    };
    changes.iter().map(line).collect()
}

const NOTHING: [String; 0] = [];

#[test]
fn an_empty_broker_lacks_everything() {
    let wanted = definitions(&["react"], &["wiki", "wiki.dead"], &["react wiki.# wiki"]);
    let empty = Definitions::default();
    assert_eq!(
        told(&wanted, &empty, &empty, &having(&empty)),
        ["+ exchange react", "+ queue wiki", "+ queue wiki.dead", "+ react --wiki.#--> wiki"]
    );
    assert_eq!(told(&wanted, &empty, &empty, &having(&wanted)), NOTHING);
}

#[test]
fn a_renamed_handler_is_a_new_queue_and_one_left_behind() {
    let ours = definitions(&["react"], &["old", "old.dead"], &["react wiki.# old"]);
    let wanted = definitions(&["react"], &["new", "new.dead"], &["react wiki.# new"]);
    assert_eq!(
        told(&wanted, &ours, &Definitions::default(), &having(&ours)),
        [
            "+ queue new, once old",
            "+ queue new.dead",
            "+ react --wiki.#--> new",
            "- queue old",
            "- queue old.dead"
        ]
    );
}

#[test]
fn a_changed_key_is_a_new_binding_and_one_left_behind() {
    let ours = definitions(&["react"], &["wiki"], &["react wiki.# wiki"]);
    let wanted = definitions(&["react"], &["wiki"], &["react wiki.* wiki"]);
    let told_of = |seen: &Seen| told(&wanted, &ours, &Definitions::default(), seen);
    assert_eq!(told_of(&having(&ours)), ["+ react --wiki.*--> wiki", "- react --wiki.#--> wiki"]);
    // Somebody has removed it already.
    let without = definitions(&["react"], &["wiki"], &["react wiki.* wiki"]);
    assert_eq!(told_of(&having(&without)), NOTHING);
    // The broker does not tell: what was declared is believed.
    let silent = Seen { bindings: None, ..having(&ours) };
    assert_eq!(told_of(&silent), ["+ react --wiki.*--> wiki", "- react --wiki.#--> wiki"]);
}

#[test]
fn a_binding_by_hand_is_foreign() {
    let wanted = definitions(&["react"], &["wiki"], &["react wiki.# wiki"]);
    let mut seen = having(&wanted);
    let by_hand = ["react extra.# wiki", "react wiki.# theirs", " wiki wiki"];
    seen.bindings.as_mut().unwrap().extend(by_hand.iter().map(|text| binding(text)));
    let told_of = |others: &Definitions| told(&wanted, &wanted, others, &seen);
    assert_eq!(told_of(&Definitions::default()), ["? react --extra.#--> wiki"]);
    assert_eq!(told_of(&definitions(&[], &[], &["react extra.# wiki"])), NOTHING);
}

#[test]
fn other_values_are_told_with_both_of_them() {
    let wanted = definitions(&["react"], &["wiki"], &[]);
    let mut seen = having(&wanted);
    let ttl = Difference {
        argument: "x-message-ttl".to_owned(),
        wanted: Some("2000".to_owned()),
        current: Some("1000".to_owned()),
    };
    let limit =
        Difference { argument: "x-max-length".to_owned(), wanted: None, current: Some("5".to_owned()) };
    seen.queues.get_mut("wiki").unwrap().differences.push(ttl);
    seen.exchanges.get_mut("react").unwrap().push(limit);
    assert_eq!(
        told(&wanted, &wanted, &Definitions::default(), &seen),
        [
            "~ exchange react: x-max-length is 5 on the broker and none in the code",
            "~ queue wiki: x-message-ttl is 1000 on the broker and 2000 in the code",
        ]
    );
}

#[test]
fn what_another_app_needs_is_not_left_behind() {
    let ours = definitions(&["react", "billing"], &["shared", "bus.delay.100", "bus.ladder.03"], &[]);
    let wanted = definitions(&["react"], &[], &[]);
    let others = definitions(&["billing"], &["shared", "bus.delay.100"], &[]);
    let seen = having(&ours);
    assert_eq!(told(&wanted, &ours, &others, &seen), NOTHING);
    assert_eq!(
        told(&wanted, &ours, &Definitions::default(), &seen),
        ["- queue shared", "- queue bus.delay.100", "- exchange billing"]
    );
}

#[test]
fn what_was_deleted_by_hand_is_not_left_behind() {
    let ours = definitions(&["react"], &["old"], &["react wiki.# old"]);
    let wanted = definitions(&["react"], &[], &[]);
    assert_eq!(told(&wanted, &ours, &Definitions::default(), &having(&wanted)), NOTHING);
}
