//! What others own: there before a worker begins, and never changed.

use super::Declare;
use super::declare::places;
use super::look::compare_foreign;
use crate::error::{Error, ErrorKind};
use crate::topology::{IfMissing, Plan, Topology};
use crate::transport::Transport;

/// Makes sure that everything of others is there. An exchange that is missing is declared if it may be.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) naming everything that is missing, and [`Mismatch`](ErrorKind::Mismatch) for an exchange
/// that routes in another way than the handler says, each with the handler that needs it; else what the broker says.
pub(super) async fn prepare(transport: &dyn Transport, plan: &Plan, mode: Declare) -> Result<(), Error> {
    let mut missing = Vec::new();
    let mut exchanges = Vec::new();
    for one in &plan.foreign.exchanges {
        let name = &one.exchange.name;
        match compare_foreign(transport, one).await? {
            Some(differences) => {
                if let Some(kind) = differences.iter().find(|difference| difference.is_of_kind()) {
                    return Err(unfit(plan, name, &kind.to_string()));
                }
            }
            None if one.if_missing == IfMissing::Declare && mode != Declare::Never => {
                exchanges.push(one.exchange.clone());
            }
            None => missing.push(("exchange", name.to_string())),
        }
    }
    for queue in &plan.foreign.queues {
        if transport.inspect(queue).await?.is_none() {
            missing.push(("queue", queue.to_string()));
        }
    }
    if !missing.is_empty() {
        return Err(not_there(plan, &missing));
    }
    transport.declare(&Topology { exchanges, ..Topology::default() }).await
}

fn not_there(plan: &Plan, missing: &[(&str, String)]) -> Error {
    let names: Vec<_> = missing.iter().map(|(what, name)| format!("{what} `{name}`")).collect();
    let verb = if missing.len() == 1 { "does" } else { "do" };
    let text = format!("{} {verb} not exist, and others have to declare it", names.join(" and "));
    let error =
        missing.iter().fold(Error::new(ErrorKind::NotFound, text), |error, (what, name)| match *what {
            "queue" => match places(plan).get(name.as_str()) {
                Some((place, handler)) => error.with_place(*place, format!("{handler} consumes `{name}`")),
                None => error,
            },
            _ => bound_to(plan, name, error),
        });
    error.with_help(
        "declare it where its owner does, or leave declare = \"never\" out if it is this app's own; \
         on the embedded broker nothing exists but what this process declares",
    )
}

fn unfit(plan: &Plan, name: &str, difference: &str) -> Error {
    let error =
        Error::new(ErrorKind::Mismatch, format!("exchange `{name}` routes in another way: {difference}"));
    bound_to(plan, name, error)
        .with_help("it belongs to others, who decide: write what the broker has into `exchange_kind`")
}

/// An error with the places of the handlers that are bound to an exchange.
fn bound_to(plan: &Plan, exchange: &str, error: Error) -> Error {
    let handlers = plan.handlers.iter().filter(|entry| entry.exchange == exchange);
    handlers.fold(error, |error, entry| {
        error.with_place(entry.place, format!("{} is bound to `{exchange}`", entry.name))
    })
}
