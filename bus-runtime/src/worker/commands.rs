//! Telling handlers that commands begin and end: the events [`CommandStarted`] and [`CommandFinished`], when somebody listens.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::call::Judged;
use super::telling::{self, About};
use crate::arrival::Arrival;
use crate::hub::Hub;
use crate::outcome::Outcome;
use crate::seam;
use crate::topology::HandlerEntry;

/// The handler of a command is about to be called: an event, one for each attempt.
///
/// It is published only when somebody listens, as [`HandlerFailed`](crate::HandlerFailed) is: when nobody did, the next ten seconds
/// are not told, but for commands of a session. It is for looking on, so nobody waits for it: while many of them are on their way
/// to a broker that is slow or away, some are left out. Commands that handlers of it execute are not told of.
///
/// ```
/// use bus_runtime::prelude::*;
/// use bus_runtime::{CommandFinished, CommandStarted};
///
/// #[message_handler(CommandStarted)]
/// async fn begins(started: CommandStarted) {
///     println!("{} has begun", started.command);
/// }
///
/// #[message_handler(CommandFinished)]
/// async fn ends(finished: CommandFinished) {
///     println!("{} took {} ms: {:?}", finished.command, finished.millis, finished.error);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bus_macros::Message)]
#[event("bus.command.started", terminal)]
#[non_exhaustive]
pub struct CommandStarted {
    /// The topic of the command.
    pub command: String,
    /// Its handler.
    pub handler: String,
    /// The id of the command's message, the same in both events.
    pub message_id: Option<String>,
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
}

/// The handler of a command has ended: an event, one for each attempt. Published as [`CommandStarted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bus_macros::Message)]
#[event("bus.command.finished", terminal)]
#[non_exhaustive]
pub struct CommandFinished {
    /// The topic of the command.
    pub command: String,
    /// Its handler.
    pub handler: String,
    /// The id of the command's message, the same in both events.
    pub message_id: Option<String>,
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// How long it took, in milliseconds, layers included.
    pub millis: u64,
    /// The text of its error and of all its sources; `None` when it has replied.
    pub error: Option<String>,
}

/// The call of a command that others are told of.
pub(super) struct Told(Instant);

/// Tells that a handler is about to be called, if it is one of a command.
pub(super) fn begin(hub: &Arc<Hub>, entry: &HandlerEntry, arrival: &Arrival) -> Option<Told> {
    let command = entry.message.filter(|_| entry.is_command())?;
    let metadata = &arrival.metadata;
    telling::tell(hub, About::CommandsBegun, metadata, || CommandStarted {
        command: command.topic.to_owned(),
        handler: entry.name.clone(),
        message_id: metadata.message_id().map(str::to_owned),
        attempt: metadata.attempt(),
    });
    Some(Told(seam::now()))
}

impl Told {
    /// Tells how it has ended.
    pub(super) fn end(self, hub: &Arc<Hub>, judged: &Judged, arrival: &Arrival) {
        let (entry, metadata) = (&judged.entry, &arrival.metadata);
        telling::tell(hub, About::CommandsDone, metadata, || CommandFinished {
            command: entry.message.map_or("", |message| message.topic).to_owned(),
            handler: entry.name.clone(),
            message_id: metadata.message_id().map(str::to_owned),
            attempt: metadata.attempt(),
            millis: u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX),
            error: error(&judged.outcome),
        });
    }
}

fn error(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Done(_) | Outcome::Ack => None,
        Outcome::Failed(error) => Some(error.chain()),
        Outcome::DeadLetter(_, text) => Some(text.clone()),
        Outcome::Retry(_) | Outcome::Requeue => Some("the handler asked for another attempt".to_owned()),
        Outcome::Discard => Some("the handler does not want it".to_owned()),
    }
}
