//! `topology`: what the handlers need on the broker, what differs there, and as a file for others to import.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::drift::{self, Target};
use super::export;
use super::migrate::{self, MigrateArgs};
use super::setup::{self, SetupArgs};
use super::table::Table;
use super::{Output, block_on, report, run};
use crate::app::App;
use crate::provision::Drift;
use crate::topology::{Definitions, Destination, Plan, Topology};

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
    /// Tell what differs on the broker, and what removed handlers have left behind; 1 when something does
    Diff(DiffArgs),
    /// Declare what is missing (the same as `setup`)
    Apply(SetupArgs),
    /// Write a file that RabbitMQ imports, or that Terraform or Kubernetes applies; no broker is asked
    Export(ExportArgs),
    /// Move what lies in a queue that no handler has any more, and its dead letters, into another one
    Migrate(MigrateArgs),
}

/// Options of `topology diff`.
#[derive(Args, Clone, Debug)]
struct DiffArgs {
    #[command(flatten)]
    target: Target,
}

/// Options of `topology export` and of `definitions`.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Definitions)]
    format: Format,
    /// For Kubernetes: the name of the RabbitmqCluster
    #[arg(long, value_name = "NAME", default_value = "rabbitmq")]
    cluster: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For `rabbitmqctl import_definitions`, the management page, or `load_definitions` in rabbitmq.conf
    Definitions,
    /// A `.tf.json` file for Terraform's provider cyrilgdn/rabbitmq
    Terraform,
    /// Objects of RabbitMQ's messaging topology operator
    K8s,
}

/// The command ran, and there are differences.
const DRIFT: u8 = 1;

pub(super) fn topology(app: App, arguments: &TopologyArgs, format: Output) -> ExitCode {
    match &arguments.command {
        TopologyCommand::Print => print(&app, format),
        TopologyCommand::Diff(arguments) => diff(app, arguments, format),
        TopologyCommand::Apply(arguments) => setup::setup(app, arguments, format),
        TopologyCommand::Export(arguments) => export(&app, arguments),
        TopologyCommand::Migrate(arguments) => migrate::migrate(app, arguments, format),
    }
}

fn print(app: &App, format: Output) -> ExitCode {
    with_plan(app, |plan| match format {
        Output::Table => table(&plan.topology),
        Output::Json => document(&plan.topology),
        Output::Jsonl => report::compact(&document(&plan.topology)),
    })
}

/// Writes a definitions file. It has no users and no permissions, and leaves out exclusive queues: those end with their worker.
pub(super) fn export(app: &App, arguments: &ExportArgs) -> ExitCode {
    let vhost = match app.settings() {
        Ok(config) => config.broker_url.and_then(|url| Some(url.amqp()?.vhost().to_owned())),
        Err(error) => return report::failed(&[error]),
    };
    let vhost = vhost.unwrap_or_else(|| "/".to_owned());
    with_plan(app, |plan| {
        let definitions = Definitions::from(&plan.topology);
        match arguments.format {
            Format::Definitions => format!("{:#}\n", definitions.document(&vhost)),
            Format::Terraform => format!("{:#}\n", export::terraform(&definitions, &vhost)),
            Format::K8s => export::kubernetes(&definitions, &vhost, &arguments.cluster),
        }
    })
}

fn with_plan(app: &App, text: impl FnOnce(&Plan) -> String) -> ExitCode {
    match app.plan() {
        Ok(plan) => report::print(&text(&plan)),
        Err(errors) => report::failed(&errors),
    }
}

fn diff(mut app: App, arguments: &DiffArgs, format: Output) -> ExitCode {
    if let Err(errors) = app.plan() {
        return report::failed(&errors);
    }
    if let Err(error) = app.needs_remote_broker("topology diff") {
        return report::failed(&[error]);
    }
    arguments.target.apply(&mut app);
    let result = block_on(async {
        let provision = app.provision().await?;
        let drift = provision.diff().await;
        provision.transport().close(run::CLOSE_TIMEOUT).await;
        drift.map(|drift| (provision, drift))
    });
    let (provision, drift) = match result.and_then(|drift| drift) {
        Ok(seen) => seen,
        Err(error) => return report::failed(&[error]),
    };
    let printed = report::print(&match format {
        Output::Table => drift::table(&provision, &drift),
        Output::Json => drift::document(&provision, &drift, &[]),
        Output::Jsonl => report::compact(&drift::document(&provision, &drift, &[])),
    });
    match drift {
        Drift { changes, .. } if changes.is_empty() => printed,
        _ => ExitCode::from(DRIFT),
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
    let Definitions { queues, exchanges, bindings } = Definitions::from(topology);
    let document =
        json!({ "schema": "bus.topology/1", "exchanges": exchanges, "queues": queues, "bindings": bindings });
    format!("{document:#}\n")
}
