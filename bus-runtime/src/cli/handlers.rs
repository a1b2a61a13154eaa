//! `handlers`: which handlers there are, and which of them receive a routing key.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::table::Table;
use super::{Output, explain, report};
use crate::app::App;
use crate::topology::{HandlerEntry, Plan};

/// Options of `handlers`.
#[derive(Args, Clone, Debug)]
pub struct HandlersArgs {
    #[command(subcommand)]
    command: Option<HandlersCommand>,
}

#[derive(Clone, Debug, Subcommand)]
enum HandlersCommand {
    /// List the handlers (the default)
    #[command(visible_alias = "list")]
    Ls,
    /// Tell which handlers receive a routing key, which do not, and why
    Explain(explain::ExplainArgs),
}

pub(super) fn handlers(app: &App, arguments: &HandlersArgs, format: Output) -> ExitCode {
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return report::failed(&errors),
    };
    match &arguments.command {
        Some(HandlersCommand::Explain(arguments)) => explain::explain(&plan, arguments, format),
        Some(HandlersCommand::Ls) | None => report::print(&match format {
            Output::Table => table(&plan),
            Output::Json => document(&plan),
            Output::Jsonl => report::compact(&document(&plan)),
        }),
    }
}

fn table(plan: &Plan) -> String {
    if plan.handlers.is_empty() {
        return "no handlers are registered in this binary\n".to_owned();
    }
    let mut table = Table::new(&["kind", "binding", "queue", "handler", "place", "timeout", "retries"]);
    for entry in &plan.handlers {
        table.row([
            entry.kind.as_str().to_owned(),
            keys(entry).join(" "),
            entry.queue.to_string(),
            entry.name.clone(),
            format!("{}:{}", entry.place.file, entry.place.line),
            entry.timeout.map_or_else(|| "none".to_owned(), |timeout| format!("{timeout:?}")),
            entry.retry.max.to_string(),
        ]);
    }
    table.render()
}

fn document(plan: &Plan) -> String {
    let items: Vec<_> = plan
        .handlers
        .iter()
        .map(|entry| {
            json!({
                "name": entry.name,
                "group": entry.group,
                "kind": entry.kind.as_str(),
                "exchange": entry.exchange.as_str(),
                "bindings": keys(entry),
                "queue": entry.queue.as_str(),
                "timeout_seconds": entry.timeout.map(|timeout| timeout.as_secs_f64()),
                "retries": entry.retry.max,
                "payload": entry.payload(),
                "concurrency": entry.concurrency,
                "prefetch": entry.prefetch,
                "file": entry.place.file,
                "line": entry.place.line,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "schema": "bus.handlers/1", "items": items }))
}

/// The binding keys, with the names of captured words.
pub(super) fn keys(entry: &HandlerEntry) -> Vec<&str> {
    entry.keys.iter().map(|key| key.text.as_str()).collect()
}
