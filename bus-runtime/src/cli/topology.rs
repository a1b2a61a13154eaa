//! `topology print`: what the handlers need on the broker.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::Table;
use super::{Output, report};
use crate::app::App;
use crate::envelope::{HeaderValue, Headers};
use crate::topology::{Destination, Topology};

/// Options of `topology`.
#[derive(Args, Clone, Debug)]
pub struct TopologyArgs {
    #[command(subcommand)]
    command: TopologyCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum TopologyCommand {
    /// Print the exchanges, queues and bindings that the handlers need; no broker is asked
    Print,
}

pub(super) fn topology(app: &App, arguments: &TopologyArgs, format: Output) -> ExitCode {
    let TopologyCommand::Print = arguments.command;
    match app.plan() {
        Ok(plan) => report::print(&match format {
            Output::Table => table(&plan.topology),
            Output::Json => document(&plan.topology),
        }),
        Err(errors) => report::failed(&errors),
    }
}

pub(super) fn table(topology: &Topology) -> String {
    let mut exchanges = Table::new(&["exchange", "type"]);
    for exchange in &topology.exchanges {
        exchanges.row([exchange.name.to_string(), exchange.kind.to_string()]);
    }
    let mut queues = Table::new(&["queue", "arguments"]);
    for queue in &topology.queues {
        let arguments = queue.arguments.to_table();
        let arguments: Vec<_> =
            arguments.iter().map(|(name, value)| format!("{}={value}", short(name))).collect();
        queues.row([queue.name.to_string(), arguments.join(" ")]);
    }
    let mut bindings = Table::new(&["from", "binding key", "to"]);
    for binding in &topology.bindings {
        bindings.row([
            binding.exchange.to_string(),
            binding.key.to_string(),
            destination(&binding.destination),
        ]);
    }
    [exchanges.render(), queues.render(), bindings.render()].join("\n")
}

fn short(name: &str) -> &str {
    name.strip_prefix("x-").unwrap_or(name)
}

fn destination(destination: &Destination) -> String {
    match destination {
        Destination::Queue(queue) => queue.to_string(),
        Destination::Exchange(exchange) => format!("exchange {exchange}"),
    }
}

fn document(topology: &Topology) -> String {
    let exchanges: Vec<_> = topology
        .exchanges
        .iter()
        .map(|exchange| json!({ "name": exchange.name.as_str(), "type": exchange.kind.as_str(), "durable": exchange.durable }))
        .collect();
    let queues: Vec<_> = topology
        .queues
        .iter()
        .map(|queue| {
            json!({
                "name": queue.name.as_str(),
                "durable": queue.durable,
                "exclusive": queue.exclusive,
                "arguments": values(&queue.arguments.to_table()),
            })
        })
        .collect();
    let bindings: Vec<_> = topology
        .bindings
        .iter()
        .map(|binding| {
            let (kind, name) = match &binding.destination {
                Destination::Queue(queue) => ("queue", queue.as_str()),
                Destination::Exchange(exchange) => ("exchange", exchange.as_str()),
            };
            json!({ "source": binding.exchange.as_str(), "key": binding.key.as_str(), "destination": name, "destination_type": kind })
        })
        .collect();
    let document =
        json!({ "schema": "bus.topology/1", "exchanges": exchanges, "queues": queues, "bindings": bindings });
    format!("{document:#}\n")
}

fn values(table: &Headers) -> Value {
    let value = |value: &HeaderValue| match value {
        HeaderValue::Int(number) => json!(number),
        HeaderValue::Bool(flag) => json!(flag),
        other => json!(other.to_string()),
    };
    table.iter().map(|(name, item)| (name.to_owned(), value(item))).collect()
}
