//! What a worker declares at its start, and what it says when the broker has something else.

use std::collections::BTreeMap;

use super::foreign;
use crate::error::{Error, ErrorKind, Place};
use crate::topology::diff::Difference;
use crate::topology::{Destination, Plan, Topology, naming};
use crate::transport::Transport;

/// What a worker declares at its start: `--declare`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Declare {
    /// Everything; what exists with other arguments ends the start.
    #[default]
    Always,
    /// What does not exist; what exists with other arguments stays as it is.
    Missing,
    /// Nothing; what does not exist ends the start.
    Never,
}

impl Declare {
    /// The mode of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "always" => Some(Self::Always),
            "missing" => Some(Self::Missing),
            "never" => Some(Self::Never),
            _ => None,
        }
    }
}

/// Declares, or checks, what the handlers need.
///
/// # Errors
/// [`Mismatch`](ErrorKind::Mismatch) and [`NotFound`](ErrorKind::NotFound), naming everything that is wrong and the places
/// in the source; else what the broker says.
pub(crate) async fn declare(transport: &dyn Transport, plan: &Plan, mode: Declare) -> Result<(), Error> {
    foreign::prepare(transport, plan, mode).await?;
    match mode {
        Declare::Always => match transport.declare(&plan.topology).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Mismatch => Err(mismatch(transport, plan, error).await),
            Err(error) => Err(placed(error, plan)),
        },
        Declare::Missing => declare_missing(transport, plan).await,
        Declare::Never => check(transport, plan).await,
    }
}

/// What was found of a plan.
#[derive(Default)]
struct Found {
    missing_exchanges: Vec<String>,
    missing_queues: Vec<String>,
    different: Vec<(&'static str, String, Vec<Difference>)>,
}

async fn find(transport: &dyn Transport, topology: &Topology) -> Result<Found, Error> {
    let mut found = Found::default();
    for exchange in &topology.exchanges {
        match transport.compare_exchange(exchange).await? {
            None => found.missing_exchanges.push(exchange.name.to_string()),
            Some(differences) if differences.is_empty() => {}
            Some(differences) => found.different.push(("exchange", exchange.name.to_string(), differences)),
        }
    }
    for queue in topology.queues.iter().filter(|queue| !queue.exclusive) {
        match transport.compare_queue(queue).await? {
            None => found.missing_queues.push(queue.name.to_string()),
            Some(differences) if differences.is_empty() => {}
            Some(differences) => found.different.push(("queue", queue.name.to_string(), differences)),
        }
    }
    Ok(found)
}

async fn declare_missing(transport: &dyn Transport, plan: &Plan) -> Result<(), Error> {
    let found = find(transport, &plan.topology).await?;
    let mut topology = plan.topology.clone();
    for (what, name, differences) in &found.different {
        let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
        tracing::warn!(
            code = ErrorKind::Mismatch.code(),
            "{what} `{name}` exists with other arguments and stays as it is: {}",
            differences.join(", ")
        );
        topology.exchanges.retain(|exchange| *what != "exchange" || exchange.name != name.as_str());
        topology.queues.retain(|queue| *what != "queue" || queue.name != name.as_str());
    }
    transport.declare(&topology).await.map_err(|error| placed(error, plan))
}

/// Checks that everything exists. Exclusive queues are declared all the same: they belong to this connection.
async fn check(transport: &dyn Transport, plan: &Plan) -> Result<(), Error> {
    let Found { missing_exchanges, missing_queues, different } = find(transport, &plan.topology).await?;
    for (what, name, differences) in different {
        let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
        tracing::warn!(
            code = ErrorKind::Mismatch.code(),
            "{what} `{name}` exists with other arguments: {}",
            differences.join(", ")
        );
    }
    if missing_exchanges.is_empty() && missing_queues.is_empty() {
        return transport.declare(&exclusive_part(&plan.topology)).await.map_err(|error| placed(error, plan));
    }
    let names = |noun: &str, names: &[String]| match names {
        [] => None,
        [one] => Some(format!("{noun} `{one}`")),
        many => Some(format!("the {noun}s `{}`", many.join("`, `"))),
    };
    let missing: Vec<_> = [names("exchange", &missing_exchanges), names("queue", &missing_queues)]
        .into_iter()
        .flatten()
        .collect();
    let verb = if missing_exchanges.len() + missing_queues.len() == 1 { "does" } else { "do" };
    let text = format!("{} {verb} not exist, and --declare is never", missing.join(" and "));
    let places = places(plan);
    let error =
        missing_queues.iter().fold(Error::new(ErrorKind::NotFound, text), |error, queue| {
            match places.get(queue.as_str()) {
                Some((place, handler)) => error.with_place(*place, format!("{handler} needs `{queue}`")),
                None => error,
            }
        });
    Err(error.with_help("declare them: the command `topology apply`; or leave `--declare never` out"))
}

fn exclusive_part(topology: &Topology) -> Topology {
    let queues: Vec<_> = topology.queues.iter().filter(|queue| queue.exclusive).cloned().collect();
    let of_these = |destination: &Destination| match destination {
        Destination::Queue(name) => queues.iter().any(|queue| queue.name == *name),
        Destination::Exchange(_) => false,
    };
    let bindings =
        topology.bindings.iter().filter(|binding| of_these(&binding.destination)).cloned().collect();
    Topology { queues, bindings, exchanges: Vec::new() }
}

/// The handler that each queue is for, and where it stands.
pub(super) fn places(plan: &Plan) -> BTreeMap<&str, (Place, &str)> {
    let mut places = BTreeMap::new();
    for queue in &plan.queues {
        for member in queue.members.iter().rev() {
            places.insert(queue.name.as_str(), (member.place, member.name.as_str()));
            places.insert(queue.dead.as_str(), (member.place, member.name.as_str()));
        }
    }
    places
}

/// Everything that exists with other arguments. The broker reports only the first.
async fn mismatch(transport: &dyn Transport, plan: &Plan, first: Error) -> Error {
    let different = match find(transport, &plan.topology).await {
        Ok(found) if !found.different.is_empty() => found.different,
        // Somebody has changed it in the meantime, or it cannot be looked at: what the broker said has to do.
        _ => return placed(first, plan),
    };
    let places = places(plan);
    let texts: Vec<_> = different
        .iter()
        .map(|(what, name, differences)| {
            let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
            format!("{what} `{name}` exists with other arguments: {}", differences.join(", "))
        })
        .collect();
    let error = Error::new(ErrorKind::Mismatch, texts.join("; "));
    let error = different.iter().fold(error, |error, (_, name, differences)| {
        let Some((place, handler)) = places.get(name.as_str()) else { return error };
        let values: Vec<_> = differences.iter().map(declared).collect();
        error.with_place(*place, format!("{handler} declares {}", values.join(", ")))
    });
    error.with_help(
        "RabbitMQ cannot change arguments in place; choose one:\n\
         see all that differs:              topology diff\n\
         keep what the broker has:          write its values into the attribute, or run with --declare missing\n\
         delete it, with its messages:      topology apply --recreate=changed\n\
         move to a new queue:               give the handler another one with queue = \"..\"",
    )
}

/// `x-message-ttl = 2000 (the broker has 1000)`.
fn declared(difference: &Difference) -> String {
    let Difference { argument, wanted, current } = difference;
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    format!("{argument} = {} (the broker has {})", value(wanted), value(current))
}

/// An error with the place of the handler whose queue it names.
fn placed(error: Error, plan: &Plan) -> Error {
    let text = error.to_string();
    let places = places(plan);
    let named = places.into_iter().find(|(queue, _)| text.contains(&format!("`{queue}`")));
    match named {
        Some((_, (place, handler))) => error.with_place(place, format!("{handler} needs it")),
        None => error,
    }
}

/// Whether what was declared is worth a note: a broker that ends with this process remembers nothing.
pub(crate) fn is_worth_a_note(mode: Declare, topology: &Topology, embedded: bool) -> bool {
    let own = |name: &str| name.ends_with(naming::DUE_QUEUE);
    // An app without handlers declares the three exchanges alone, and every app has those.
    mode != Declare::Never && !embedded && topology.queues.iter().any(|queue| !own(&queue.name))
}
