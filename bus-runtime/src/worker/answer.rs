//! The answers to commands: whoever asked hears of every end, also of a bad one.

use std::sync::Arc;

use crate::arrival::Arrival;
use crate::command::reply;
use crate::hub::Hub;
use crate::message::MessageKind;
use crate::outcome::{HandlerError, Outcome};
use crate::topology::{HandlerEntry, HandlerKind};

/// Whether the handler answers.
pub(super) fn is_command(entry: &HandlerEntry) -> bool {
    entry.kind == HandlerKind::Message(MessageKind::Command)
}

/// Answers a command that will not be handled again: with the reply, or with why there is none.
pub(super) async fn answer(hub: &Hub, arrival: &Arrival, outcome: &Outcome) {
    let request = &arrival.metadata.envelope;
    let refused = |text: &str| reply(request, Err(&HandlerError::new(text.to_owned())));
    let reply = match outcome {
        Outcome::Done(value) => reply(request, Ok(value.as_deref().unwrap_or(b"null"))),
        Outcome::Ack => reply(request, Ok(b"null")),
        Outcome::Failed(error) => reply(request, Err(error)),
        Outcome::DeadLetter(_, text) => refused(text),
        Outcome::Retry(_) | Outcome::Requeue => {
            refused("the handler asked for another attempt, and there is none left")
        }
        Outcome::Discard => refused("the handler did not want the command"),
    };
    let Some(reply) = reply else { return };
    // Whoever asked may be gone; nobody else wants the reply.
    if let Err(error) = hub.send(Arc::new(reply)).await {
        tracing::warn!(%error, "the reply to a command is lost");
    }
}
