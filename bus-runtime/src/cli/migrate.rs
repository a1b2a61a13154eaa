//! `topology migrate`: move what lies in a queue that no handler has any more into the one that took its place.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Output, block_on, progress, report, run};
use crate::app::App;
use crate::config::closest;
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::provision;
use crate::rename;
use crate::topology::{BindingDefinition, Plan, QueueEntry, Renamed, naming};
use crate::transport::Transport;

/// Options of `topology migrate`.
#[derive(Args, Clone, Debug)]
pub(super) struct MigrateArgs {
    /// The queue that no handler has any more
    queue: QueueName,
    /// The queue of a handler, into which its messages go
    #[arg(long, value_name = "QUEUE")]
    to: String,
    /// Only tell what would be moved
    #[arg(long)]
    dry_run: bool,
}

/// Not everything was moved.
const PARTIAL: u8 = 3;

/// What was moved, and what is left.
struct Moved {
    messages: u64,
    letters: u64,
    left: u64,
    unbound: usize,
}

pub(super) fn migrate(app: App, arguments: &MigrateArgs, format: Output) -> ExitCode {
    let told = app.needs_remote_broker("topology migrate").and_then(|()| {
        let plan = app.plan().map_err(crate::app::first)?;
        let to = target(&plan, arguments)?.clone();
        block_on(work(app, arguments, &to))?
    });
    let moved = match told {
        Ok(moved) => moved,
        Err(error) => return report::failed(&[error]),
    };
    let MigrateArgs { queue, to, dry_run } = arguments;
    let Moved { messages, letters, left, unbound } = moved;
    let printed = report::print(&match format {
        Output::Table => {
            let verb = if *dry_run { "would move" } else { "moved" };
            let counted = |count, noun| report::count(count, noun);
            let mut text = format!(
                "{verb} {} and {} from {queue} to {to}\n",
                counted(messages, "message"),
                counted(letters, "dead letter")
            );
            if left > 0 {
                text.push_str(&format!("{} stay in {queue}: the log says why\n", counted(left, "message")));
            } else if !*dry_run {
                text.push_str("the queue is empty: `topology apply --prune` deletes it\n");
            }
            text
        }
        Output::Json | Output::Jsonl => format!(
            "{}\n",
            json!({
                "schema": "bus.topology-migrate/1", "from": queue.as_str(), "to": to, "dry_run": dry_run,
                "messages": messages, "dead_letters": letters, "left": left, "unbound": unbound,
            })
        ),
    });
    if left > 0 { ExitCode::from(PARTIAL) } else { printed }
}

/// The queue of a handler that takes the messages. The former one must have none: it would go on to consume it.
fn target<'p>(plan: &'p Plan, arguments: &MigrateArgs) -> Result<&'p QueueEntry, Error> {
    let of = |name: &str| plan.queues.iter().find(|queue| queue.name == *name).map(|queue| &**queue);
    if let Some(member) = of(&arguments.queue).and_then(|queue| queue.members.first()) {
        let text = format!("queue `{}` is the one of {}", arguments.queue, member.name);
        return Err(Error::new(ErrorKind::InvalidName, text).with_help(format!(
            "give the handler the new one first: queue = \"{}\", and `topology apply`",
            arguments.to
        )));
    }
    of(&arguments.to).ok_or_else(|| {
        let near = closest(&arguments.to, plan.queues.iter().map(|queue| queue.name.as_str()));
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        Error::new(ErrorKind::InvalidName, format!("no handler has the queue `{}`{near}", arguments.to))
            .with_help("`queues` lists those that the handlers have")
    })
}

async fn work(app: App, arguments: &MigrateArgs, to: &QueueEntry) -> Result<Moved, Error> {
    let provision = app.provision().await?;
    let mark = provision.mark().await?;
    provision.transport().close(run::CLOSE_TIMEOUT).await;
    let bindings = mark.iter().flat_map(|mark| &mark.definitions.bindings);
    let bindings = bindings.filter(|binding| arguments.queue == *binding.destination);
    let renamed = Renamed {
        from: arguments.queue.clone(),
        from_dead: naming::dead_queue(&arguments.queue)?,
        to: to.name.clone(),
        to_dead: to.dead.clone(),
        bindings: bindings.filter_map(BindingDefinition::to_binding).collect(),
    };
    let bus = app.publisher_only().await?;
    let moved = moved(&bus.running().hub, &renamed, arguments).await;
    bus.shutdown().await;
    moved
}

async fn moved(hub: &crate::hub::Hub, renamed: &Renamed, arguments: &MigrateArgs) -> Result<Moved, Error> {
    let transport = &*hub.transport;
    let missing = |name: &QueueName| {
        Error::new(ErrorKind::NotFound, format!("queue `{name}` does not exist on the broker"))
    };
    let messages = ready(transport, &renamed.from).await?.ok_or_else(|| missing(&renamed.from))?;
    let letters = ready(transport, &renamed.from_dead).await?.unwrap_or_default();
    ready(transport, &renamed.to)
        .await?
        .ok_or_else(|| missing(&renamed.to).with_help("`topology apply` declares it"))?;
    let unbound = renamed.bindings.len();
    if arguments.dry_run {
        return Ok(Moved { messages, letters, left: 0, unbound });
    }
    // Until nothing comes any more, it would never be empty.
    provision::cut_off(transport, std::slice::from_ref(renamed)).await?;
    let messages = progress::during("moving", rename::run_once(hub, renamed)).await as u64;
    let left = ready(transport, &renamed.from).await?.unwrap_or_default();
    let left_letters = ready(transport, &renamed.from_dead).await?.unwrap_or_default();
    Ok(Moved { messages, letters: letters.saturating_sub(left_letters), left: left + left_letters, unbound })
}

async fn ready(transport: &dyn Transport, queue: &QueueName) -> Result<Option<u64>, Error> {
    Ok(transport.inspect(queue).await?.map(|state| state.ready))
}
