//! Queues of handlers that have got another name: `formerly = "old::path"`.

use std::collections::BTreeMap;

use super::plan::{Planned, QueueEntry};
use super::{Binding, Destination, naming};
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;

/// The queue that a handler had under its earlier path, and the one that it has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The queue that it had.
    pub from: QueueName,
    /// Where the dead letters of that queue are.
    pub from_dead: QueueName,
    /// The queue that it has.
    pub to: QueueName,
    /// Where its dead letters are.
    pub to_dead: QueueName,
    /// How the earlier queue would be bound if the handler still had it.
    pub bindings: Vec<Binding>,
}

/// The queues that handlers had, and that are moved into those that they have.
pub(super) fn renamed(
    handlers: &[Planned],
    queues: &BTreeMap<String, QueueEntry>,
    prefix: &str,
    keep: &mut impl FnMut(Result<(), Error>),
) -> Vec<Renamed> {
    let mut all: Vec<Renamed> = Vec::new();
    for planned in handlers {
        let Some(path) = planned.options.formerly else { continue };
        match one(planned, path, prefix) {
            Err(error) => keep(Err(error)),
            Ok(renamed) => match queues.get(renamed.from.as_str()) {
                Some(queue) => keep(Err(still_there(planned, path, queue))),
                None if all.iter().any(|known| known.from == renamed.from) => keep(Err(twice(planned, path))),
                None => all.push(renamed),
            },
        }
    }
    all
}

fn one(planned: &Planned, path: &str, prefix: &str) -> Result<Renamed, Error> {
    let entry = &planned.entry;
    let from = naming::queue_of_path(prefix, path, &planned.suffix)?;
    let bind = |key: &super::CapturingKey| Binding {
        exchange: entry.exchange.clone(),
        destination: Destination::Queue(from.clone()),
        key: key.key.clone(),
    };
    Ok(Renamed {
        bindings: entry.keys.iter().map(bind).collect(),
        from_dead: naming::dead_queue(&from)?,
        from,
        to: entry.queue.clone(),
        to_dead: entry.dead.clone(),
    })
}

fn still_there(planned: &Planned, path: &str, queue: &QueueEntry) -> Error {
    let (entry, owner) = (&planned.entry, &queue.members[0]);
    Error::new(
        ErrorKind::Registration,
        format!("`{path}` is no former handler: it still has queue `{}`", queue.name),
    )
    .with_place(entry.place, format!("{} says that it was formerly `{path}`", entry.name))
    .with_place(owner.place, format!("{} has the queue", owner.name))
    .with_help("leave out `formerly`, or remove the handler that has the queue")
}

fn twice(planned: &Planned, path: &str) -> Error {
    let entry = &planned.entry;
    Error::new(ErrorKind::Registration, format!("two handlers say that they were formerly `{path}`"))
        .with_place(entry.place, entry.name.clone())
        .with_help("its messages can be moved to one of them only: leave out one `formerly`")
}
