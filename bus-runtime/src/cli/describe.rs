//! `describe`: everything that is known of a handler without asking a broker.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::table::Table;
use super::{Output, handlers, report};
use crate::app::App;
use crate::config::{Config, closest};
use crate::error::{Error, ErrorKind};
use crate::topology::{HandlerEntry, Plan, QueueDefinition, QueueEntry, glob::matches};

mod options;

/// Options of `describe`.
#[derive(Args, Clone, Debug)]
pub struct DescribeArgs {
    /// The handler, or several as a glob such as wiki::*; all of them without it
    #[arg(value_name = "HANDLER")]
    handler: Option<String>,
}

/// A handler with what is known of it.
struct Described<'p> {
    entry: &'p HandlerEntry,
    queue: Option<&'p QueueEntry>,
    options: Vec<options::Row>,
}

pub(super) fn describe(app: &App, arguments: &DescribeArgs, format: Output) -> ExitCode {
    let settings = app.settings().map_err(|error| vec![error]);
    let found = settings.and_then(|config| Ok((config, app.plan()?)));
    let (config, plan) = match found {
        Ok(found) => found,
        Err(errors) => return report::failed(&errors),
    };
    let chosen = match chosen(&plan, arguments.handler.as_deref()) {
        Ok(chosen) => chosen,
        Err(error) => return report::failed(&[error]),
    };
    let described: Vec<_> = chosen.into_iter().map(|entry| known(app, &config, &plan, entry)).collect();
    let document =
        || json!({ "schema": "bus.describe/1", "items": described.iter().map(value).collect::<Vec<_>>() });
    report::print(&match format {
        Output::Table => described.iter().map(told).collect::<Vec<_>>().join("\n"),
        Output::Json => format!("{:#}\n", document()),
        Output::Jsonl => report::lines(&document()),
    })
}

/// The handlers that are meant: by a glob, or by the end of the name.
fn chosen<'p>(plan: &'p Plan, wanted: Option<&str>) -> Result<Vec<&'p Arc<HandlerEntry>>, Error> {
    let Some(wanted) = wanted else { return Ok(plan.handlers.iter().collect()) };
    let tail = format!("::{wanted}");
    let chosen: Vec<_> = plan
        .handlers
        .iter()
        .filter(|entry| matches(wanted, &entry.name) || entry.name.ends_with(&tail))
        .collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let near = closest(wanted, plan.handlers.iter().map(|entry| entry.name.as_str()));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Err(Error::new(ErrorKind::UnknownHandler, format!("there is no handler {wanted}{near}"))
        .with_help("`handlers` lists them all; `*` stands for any text"))
}

/// The one handler that is meant.
pub(super) fn one<'p>(plan: &'p Plan, wanted: &str) -> Result<&'p Arc<HandlerEntry>, Error> {
    match chosen(plan, Some(wanted))?.as_slice() {
        [one] => Ok(one),
        several => {
            let names: Vec<_> = several.iter().map(|entry| entry.name.as_str()).collect();
            let text = format!("{wanted} may be {}", names.join(" or "));
            Err(Error::new(ErrorKind::UnknownHandler, text).with_help("say more of its name"))
        }
    }
}

fn known<'p>(app: &App, config: &Config, plan: &'p Plan, entry: &'p Arc<HandlerEntry>) -> Described<'p> {
    let queue = plan.queues.iter().find(|queue| queue.name == entry.queue).map(|queue| &**queue);
    let options = options::rows(entry, queue, &app.attributes_of(entry), config);
    Described { entry, queue, options }
}

fn told(Described { entry, queue, options }: &Described<'_>) -> String {
    let mut text = format!("{}\n", entry.name);
    for line in entry.docs.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    if !entry.docs.is_empty() {
        text.push('\n');
    }
    let mut facts = vec![("kind", entry.kind.as_str().to_owned())];
    if let Some(message) = &entry.message {
        let told = format!("{}, version {}, topic {}", (message.name)(), message.version, message.topic);
        facts.push(("message", told));
    }
    facts.extend(entry.payload().map(|payload| ("body", payload.to_owned())));
    let bindings: Vec<_> =
        handlers::keys(entry).into_iter().map(|key| format!("{} {key}", entry.exchange)).collect();
    facts.push(("bindings", bindings.join(", ")));
    facts.push(("queue", entry.queue.to_string()));
    if let Some(queue) = queue {
        let others = queue.members.iter().filter(|other| other.name != entry.name);
        let others: Vec<_> = others.map(|other| other.name.clone()).collect();
        if !others.is_empty() {
            facts.push(("shared with", others.join(", ")));
        }
        let arguments = queue.declaration.arguments.to_table();
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !queue.foreign {
            facts.push(("arguments", arguments.join(" ")));
        }
    }
    facts.push(("dead letters", entry.dead.to_string()));
    facts.push(("group", entry.group.clone()));
    facts.push(("place", entry.place.to_string()));
    for (name, fact) in facts {
        text.push_str(&format!("  {name:<13} {fact}\n"));
    }
    text.push('\n');
    let mut table = Table::new(&["option", "value", "origin"]);
    for row in options {
        table.row([row.name.to_owned(), row.text.clone(), row.origin.clone()]);
    }
    for line in table.render().lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn value(Described { entry, queue, options }: &Described<'_>) -> Value {
    let options: serde_json::Map<_, _> = options
        .iter()
        .map(|row| (row.name.to_owned(), json!({ "value": row.value, "origin": row.origin })))
        .collect();
    json!({
        "name": entry.name,
        "group": entry.group,
        "kind": entry.kind.as_str(),
        "description": (!entry.docs.is_empty()).then_some(entry.docs),
        "message": entry.message.map(|message| json!({
            "type": (message.name)(), "topic": message.topic, "version": message.version,
        })),
        "payload": entry.payload(),
        "exchange": entry.exchange.as_str(),
        "bindings": handlers::keys(entry),
        "queue": entry.queue.as_str(),
        "dead_letters": entry.dead.as_str(),
        "shared_with": queue.map(|queue| {
            let others = queue.members.iter().filter(|other| other.name != entry.name);
            others.map(|other| other.name.as_str()).collect::<Vec<_>>()
        }),
        "arguments": queue.filter(|queue| !queue.foreign).map(arguments),
        "options": options,
        "file": entry.place.file,
        "line": entry.place.line,
        "column": entry.place.column,
    })
}

/// The arguments that the queue is declared with.
fn arguments(queue: &QueueEntry) -> Value {
    json!(QueueDefinition::from(&queue.declaration).arguments)
}
