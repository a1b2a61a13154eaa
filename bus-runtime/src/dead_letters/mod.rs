//! Dead letters: look at them, sort them by what went wrong, replay them, export, import and purge them.
//!
//! Each queue has `<queue>.dead`. Looking at it leaves everything as it was: the messages, their order and their headers. On
//! RabbitMQ it sets the broker's own flag `redelivered` on what was looked at, in the dead-letter queue alone: a replayed message is
//! a new copy, without that flag.
//!
//! Everything streams: memory is bounded by what is asked for, not by what lies there. Every walk ends with what the queue held when it
//! began, although letters keep arriving.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use tracing::{Instrument, Span};

use crate::config::closest;
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::observe::spans;
use crate::seam;
use crate::topology::{Plan, naming};
use crate::transport::{Browser, Incoming, Settler, Transport};

mod edit;
mod explain;
mod export;
mod fates;
pub(crate) mod fingerprint;
mod letter;
mod look;
mod purge;
mod record;
mod replay;
#[cfg(feature = "cli")]
mod rust_test;
mod selection;

pub use export::{Imported, LineError};
pub use letter::{Letter, Undertaker};
pub use look::{Group, Groups, Listing, QueueStats};
#[cfg(feature = "dashboard")]
pub(crate) use record::value_to_json as as_json;
pub use record::{Record, RecordError};
pub use replay::{Canary, CanaryFate, Control, Ended, Problem, Progress, Replay, Replayed};
#[cfg(feature = "cli")]
pub(crate) use rust_test::test_of;
pub use selection::Selection;

/// The dead letters of an app: [`App::dead_letters`](crate::App::dead_letters) from outside,
/// [`Bus::dead_letters`](crate::Bus::dead_letters) from a running one.
pub struct DeadLetters {
    transport: Arc<dyn Transport>,
    prefix: String,
    queues: Vec<DeadQueue>,
}

/// A queue of dead letters, and whose they are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DeadQueue {
    name: QueueName,
    /// The queues whose messages end here.
    of: Vec<QueueName>,
    /// Their handlers.
    handlers: Vec<String>,
}

impl DeadLetters {
    pub(crate) fn new(transport: Arc<dyn Transport>, plan: &Plan, prefix: String) -> Self {
        let mut queues: BTreeMap<QueueName, DeadQueue> = BTreeMap::new();
        for queue in &plan.queues {
            let dead = queues.entry(queue.dead.clone()).or_insert_with(|| DeadQueue {
                name: queue.dead.clone(),
                of: Vec::new(),
                handlers: Vec::new(),
            });
            dead.of.push(queue.name.clone());
            dead.handlers.extend(queue.members.iter().map(|entry| entry.name.clone()));
        }
        Self { transport, prefix, queues: queues.into_values().collect() }
    }

    /// The broker that they are on.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// The names of the queues that a selection is about.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for a queue that there is not.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn queues(&self, selection: &Selection) -> Result<Vec<QueueName>, Error> {
        Ok(self.chosen(selection).await?.into_iter().map(|queue| queue.name).collect())
    }

    async fn chosen(&self, selection: &Selection) -> Result<Vec<DeadQueue>, Error> {
        if selection.queues.is_empty() {
            return Ok(self.queues.clone());
        }
        let mut chosen: Vec<DeadQueue> = Vec::new();
        for name in &selection.queues {
            let queue = self.queue(name).await?;
            if !chosen.contains(&queue) {
                chosen.push(queue);
            }
        }
        Ok(chosen)
    }

    /// The queue that is meant by a name: one of the app, or any other that is on the broker.
    async fn queue(&self, name: &str) -> Result<DeadQueue, Error> {
        let prefixed = format!("{}{name}", self.prefix);
        let is = |queue: &QueueName| *queue == *name || *queue == *prefixed;
        if let Some(known) = self.queues.iter().find(|queue| is(&queue.name) || queue.of.iter().any(is)) {
            return Ok(known.clone());
        }
        let dead = QueueName::new(name)
            .ok()
            .filter(|name| name.ends_with(".dead"))
            .map_or_else(|| naming::dead_queue(name), Ok)?;
        if self.transport.inspect(&dead).await?.is_some() {
            return Ok(DeadQueue { name: dead, of: Vec::new(), handlers: Vec::new() });
        }
        let known = self.queues.iter().flat_map(|queue| queue.of.iter().chain([&queue.name]));
        let meant = closest(name, known.map(QueueName::as_str));
        let error = Error::new(ErrorKind::NotFound, format!("there are no dead letters of a queue `{name}`"));
        Err(match meant {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None => error.with_help("`dlq stats` names the queues of this app; others must be on the broker"),
        })
    }

    /// How many letters lie in these queues, and in those of the app when none is named.
    async fn count(&self, queues: &[DeadQueue]) -> Result<u64, Error> {
        let mut count = 0;
        for queue in queues {
            count += self.transport.inspect(&queue.name).await?.map_or(0, |state| state.ready);
        }
        Ok(count)
    }

    fn walk<'a>(&'a self, queues: Vec<DeadQueue>, selection: &'a Selection) -> Walk<'a> {
        Walk { letters: self, queues: queues.into(), current: None, selection, seen: 0 }
    }
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters")
            .field("queues", &self.queues)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// A letter that is meant, and the right to remove it.
struct Found {
    letter: Letter,
    settler: Settler,
}

/// What a walk comes to.
enum Step {
    Found(Box<Found>),
    /// This queue has been walked through: everything that was removed must be settled now.
    EndOfQueue,
    End,
}

/// A walk through the letters that are meant, queue by queue.
struct Walk<'a> {
    letters: &'a DeadLetters,
    queues: VecDeque<DeadQueue>,
    current: Option<Current>,
    selection: &'a Selection,
    /// Letters that were looked at, meant or not.
    seen: u64,
}

/// The queue that a walk is in.
struct Current {
    queue: DeadQueue,
    browser: Box<dyn Browser>,
    /// What the walk had seen before.
    seen_before: u64,
    span: Span,
}

impl Walk<'_> {
    async fn next(&mut self) -> Result<Step, Error> {
        loop {
            let Some(Current { queue, browser, span, .. }) = &mut self.current else {
                let Some(queue) = self.queues.pop_front() else { return Ok(Step::End) };
                let span = spans::receive(&*self.letters.transport, &queue.name);
                match self.letters.transport.browse(&queue.name).instrument(span.clone()).await {
                    Ok(browser) => {
                        self.current = Some(Current { queue, browser, seen_before: self.seen, span });
                    }
                    // It was never declared: there can be no letters.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
                continue;
            };
            let Some(Incoming { envelope, settler, defect, .. }) =
                browser.next().instrument(span.clone()).await?
            else {
                return Ok(Step::EndOfQueue);
            };
            self.seen += 1;
            let mut letter = Letter::of(envelope, &queue.name);
            letter.error = letter.error.or(defect);
            if let ([only], None) = (queue.handlers.as_slice(), &letter.handler) {
                letter.handler = Some(only.clone());
            }
            if self.selection.matches(&letter, seam::wall_clock()) {
                return Ok(Step::Found(Box::new(Found { letter, settler })));
            }
        }
    }

    /// The next letter; queues end without notice.
    async fn next_letter(&mut self) -> Result<Option<Found>, Error> {
        loop {
            match self.next().await? {
                Step::Found(found) => return Ok(Some(*found)),
                Step::EndOfQueue => self.end_queue().await?,
                Step::End => return Ok(None),
            }
        }
    }

    /// Gives back what was not removed of the queue that is walked through.
    async fn end_queue(&mut self) -> Result<(), Error> {
        match self.current.take() {
            Some(Current { browser, seen_before, span, .. }) => {
                spans::received(&span, self.seen - seen_before);
                browser.close().instrument(span).await
            }
            None => Ok(()),
        }
    }
}
