//! What the handlers need on the broker, as text that is the same on each run.

use crate::topology::{Destination, Plan, PlanSettings};

/// A line for each exchange, queue and binding, in the order of their names.
pub(super) fn text(plan: &Plan, settings: &PlanSettings) -> String {
    let topology = &plan.topology;
    let mut exchanges: Vec<_> = topology
        .exchanges
        .iter()
        .map(|exchange| format!("exchange  {}  {}\n", exchange.name, exchange.kind))
        .collect();
    let queue = |queue: &crate::topology::Queue| {
        let table = queue.arguments.to_table();
        let arguments =
            table.iter().map(|(name, value)| format!(" {}={value}", name.strip_prefix("x-").unwrap_or(name)));
        let exclusive = if queue.exclusive { " exclusive" } else { "" };
        format!("queue     {} {exclusive}{}\n", queue.name, arguments.collect::<String>())
    };
    let mut queues: Vec<_> = topology.queues.iter().map(queue).collect();
    let binding = |binding: &crate::topology::Binding| {
        let to = match &binding.destination {
            Destination::Queue(queue) => queue.to_string(),
            Destination::Exchange(exchange) => format!("the exchange {exchange}"),
        };
        format!("binding   {}  {}  to {to}\n", binding.exchange, binding.key)
    };
    let mut bindings: Vec<_> = topology.bindings.iter().map(binding).collect();
    for lines in [&mut exchanges, &mut queues, &mut bindings] {
        lines.sort();
    }
    let text = [exchanges, queues, bindings].concat().concat();
    // Names that are made anew for each process, and those of this test alone.
    let text =
        if settings.instance.is_empty() { text } else { text.replace(&settings.instance, ".<process>") };
    if settings.prefix.is_empty() { text } else { text.replace(&settings.prefix, "") }
}
