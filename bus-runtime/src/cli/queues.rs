//! `queues`: what waits in the queues of the program, over AMQP alone.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::Table;
use super::{Output, block_on, dlq, report, run};
use crate::app::App;
use crate::config::closest;
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::topology::{Plan, QueueEntry};
use crate::transport::{QueueState, Transport};

#[cfg(feature = "admin")]
mod pause;

#[cfg(feature = "admin")]
use pause::{PauseArgs, Turn};

/// Options of `queues`.
#[derive(Args, Clone, Debug)]
pub struct QueuesArgs {
    #[command(subcommand)]
    command: Option<QueuesCommand>,
}

#[derive(Clone, Debug, Subcommand)]
enum QueuesCommand {
    /// List the queues of the handlers with what waits in them (the default); nothing is changed
    #[command(visible_alias = "list")]
    Ls,
    /// Tell everything about one queue, and how it differs from the code; nothing is changed
    Show(ShowArgs),
    /// Take nothing of a queue any more, in the program that runs on this machine; others go on
    #[cfg(feature = "admin")]
    Pause(PauseArgs),
    /// Let a paused queue go on
    #[cfg(feature = "admin")]
    Resume(PauseArgs),
    /// Delete what waits in a queue; shows how much, and asks
    Purge(PurgeArgs),
}

#[derive(Args, Clone, Debug)]
struct ShowArgs {
    /// The queue, as `queues` lists it, or its dead letters
    queue: String,
}

#[derive(Args, Clone, Debug)]
struct PurgeArgs {
    /// The queue, as `queues` lists it, or its dead letters
    queue: String,
    /// Only tell what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// The command was refused.
const REFUSED: u8 = 2;

pub(super) fn queues(app: &App, arguments: &QueuesArgs, format: Output) -> ExitCode {
    #[cfg(feature = "admin")]
    match &arguments.command {
        Some(QueuesCommand::Pause(arguments)) => return pause::turn(app, arguments, Turn::Pause, format),
        Some(QueuesCommand::Resume(arguments)) => return pause::turn(app, arguments, Turn::Resume, format),
        _ => {}
    }
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return report::failed(&errors),
    };
    let done = is_remote(app, "queues").and_then(|()| {
        block_on(async {
            let transport = app.connect_only().await?;
            let done = work(&*transport, &plan, arguments, format).await;
            transport.close(run::CLOSE_TIMEOUT).await;
            done
        })?
    });
    match done {
        Ok(code) => code,
        Err(error) => report::failed(&[error]),
    }
}

/// The embedded broker is empty here, whatever waits in that of a running program.
pub(super) fn is_remote(app: &App, command: &str) -> Result<(), Error> {
    match app.is_embedded()? {
        false => Ok(()),
        true => Err(Error::new(ErrorKind::NoBroker, format!("`{command}` needs a broker, and none is configured")).with_help(
            "set BROKER_URL=amqp://user:password@host:5672\nan embedded broker lives in the process that runs it, and nobody else sees it",
        )),
    }
}

async fn work(
    transport: &dyn Transport,
    plan: &Plan,
    arguments: &QueuesArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    match &arguments.command {
        #[cfg(feature = "admin")]
        // The program is told, not the broker: see `queues`.
        Some(QueuesCommand::Pause(_) | QueuesCommand::Resume(_)) => Ok(ExitCode::SUCCESS),
        None | Some(QueuesCommand::Ls) => list(transport, plan, format).await,
        Some(QueuesCommand::Show(arguments)) => show(transport, plan, arguments, format).await,
        Some(QueuesCommand::Purge(arguments)) => purge(transport, plan, arguments, format).await,
    }
}

/// A queue, and what the broker says of it and of its dead letters.
struct Seen<'p> {
    queue: &'p QueueEntry,
    state: Option<QueueState>,
    dead: Option<QueueState>,
}

async fn look<'p>(transport: &dyn Transport, queue: &'p QueueEntry) -> Result<Seen<'p>, Error> {
    let (state, dead) = (transport.inspect(&queue.name).await?, transport.inspect(&queue.dead).await?);
    Ok(Seen { queue, state, dead })
}

async fn list(transport: &dyn Transport, plan: &Plan, format: Output) -> Result<ExitCode, Error> {
    let mut seen = Vec::new();
    // Each process has queues of its own beside these.
    for queue in plan.queues.iter().filter(|queue| !queue.declaration.exclusive) {
        seen.push(look(transport, queue).await?);
    }
    if format != Output::Table {
        let items: Vec<_> = seen.iter().map(value).collect();
        return Ok(report::print(&printed(&json!({ "schema": "bus.queues/1", "items": items }), format)));
    }
    let mut table = Table::new(&["queue", "ready", "consumers", "dead letters", "handlers"]);
    for Seen { queue, state, dead } in &seen {
        let count =
            |count: Option<u64>| count.map_or_else(|| "missing".to_owned(), |count| count.to_string());
        table.row([
            queue.name.to_string(),
            count(state.map(|state| state.ready)),
            count(state.map(|state| state.consumers.into())),
            count(dead.map(|dead| dead.ready)),
            names(queue).join(" "),
        ]);
    }
    let printed = report::print(&table.render());
    if seen.iter().any(|seen| seen.state.is_none()) {
        report::note("what is missing is declared by `setup`, or when the program runs");
    }
    Ok(printed)
}

fn names(queue: &QueueEntry) -> Vec<&str> {
    queue.members.iter().map(|entry| entry.name.as_str()).collect()
}

fn value(Seen { queue, state, dead }: &Seen<'_>) -> Value {
    json!({
        "name": queue.name.as_str(),
        "exists": state.is_some(),
        "ready": state.map(|state| state.ready),
        "consumers": state.map(|state| state.consumers),
        "dead_letters": { "name": queue.dead.as_str(), "ready": dead.map(|dead| dead.ready) },
        "handlers": names(queue),
    })
}

pub(super) fn printed(document: &Value, format: Output) -> String {
    match format {
        Output::Jsonl => report::lines(document),
        Output::Table | Output::Json => format!("{document:#}\n"),
    }
}

async fn show(
    transport: &dyn Transport,
    plan: &Plan,
    ShowArgs { queue }: &ShowArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    let (name, entry) = find(plan, queue)?;
    let state = transport.inspect(&name).await?;
    let (Some(entry), Some(state)) = (entry, state) else {
        return match state {
            None => Err(missing(&name)),
            Some(QueueState { ready, consumers }) => {
                let document = json!({ "name": name.as_str(), "ready": ready, "consumers": consumers });
                Ok(report::print(&match format {
                    Output::Table => {
                        format!("{name}\n  ready         {ready}\n  consumers     {consumers}\n")
                    }
                    Output::Json | Output::Jsonl => printed(&document, format),
                }))
            }
        };
    };
    let seen = look(transport, entry).await?;
    let differences = match entry.foreign {
        true => Vec::new(),
        false => transport.compare_queue(&entry.declaration).await?.unwrap_or_default(),
    };
    let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
    if format != Output::Table {
        let mut document = value(&seen);
        document["differences"] = json!(differences);
        return Ok(report::print(&printed(&document, format)));
    }
    let mut text = format!("{name}\n");
    let dead = seen.dead.map_or_else(|| "missing".to_owned(), |dead| dead.ready.to_string());
    let facts = [
        ("ready", state.ready.to_string()),
        ("consumers", state.consumers.to_string()),
        ("dead letters", format!("{dead} in {}", entry.dead)),
        ("concurrency", format!("{}, prefetch {}", entry.concurrency, entry.prefetch)),
    ];
    for (name, fact) in facts {
        text.push_str(&format!("  {name:<13} {fact}\n"));
    }
    for member in &entry.members {
        let keys = super::handlers::keys(member).join(" ");
        text.push_str(&format!("  {:<13} {}   {} {keys}\n", "handler", member.name, member.exchange));
    }
    for difference in &differences {
        text.push_str(&format!("  {:<13} {difference}\n", "differs"));
    }
    Ok(report::print(&text))
}

/// The queue that is meant, and what the program knows of it; it may also be one of dead letters.
fn find<'p>(plan: &'p Plan, wanted: &str) -> Result<(QueueName, Option<&'p QueueEntry>), Error> {
    if let Some(queue) = plan.queues.iter().find(|queue| queue.name == *wanted) {
        return Ok((queue.name.clone(), Some(queue)));
    }
    if let Some(queue) = plan.queues.iter().find(|queue| queue.dead == *wanted) {
        return Ok((queue.dead.clone(), None));
    }
    let near = closest(wanted, plan.queues.iter().map(|queue| queue.name.as_str()));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Err(Error::new(ErrorKind::InvalidName, format!("the program has no queue {wanted}{near}"))
        .with_help("`queues` lists those that it has"))
}

fn missing(name: &QueueName) -> Error {
    Error::new(ErrorKind::NotFound, format!("queue `{name}` does not exist on the broker"))
        .with_help("it is declared by `setup`, or when the program runs")
}

async fn purge(
    transport: &dyn Transport,
    plan: &Plan,
    PurgeArgs { queue, dry_run, yes }: &PurgeArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    let (name, entry) = find(plan, queue)?;
    let state = transport.inspect(&name).await?.ok_or_else(|| missing(&name))?;
    let mut impact = format!(
        "  {name}   {} that wait; those that are being handled stay\n",
        report::count(state.ready, "message")
    );
    if state.ready > 0 {
        impact.push_str("They will be deleted. There is no undo.");
        if entry.is_none() {
            impact.push_str(&format!("  Save them first: dlq export --queue {name} {name}.jsonl"));
        }
        impact.push('\n');
    }
    if *dry_run || state.ready == 0 {
        report::note(impact.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if !yes && !dlq::confirmed(&impact, &name) {
        return Ok(ExitCode::from(REFUSED));
    }
    let deleted = transport.purge(&name).await?;
    Ok(report::print(&match format {
        Output::Table => format!("deleted {}\n", report::count(deleted, "message")),
        Output::Json | Output::Jsonl => {
            printed(&json!({ "schema": "bus.purge/1", "queue": name.as_str(), "deleted": deleted }), format)
        }
    }))
}
