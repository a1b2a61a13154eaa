//! What has happened, when everything is done: per handler, in the forge, and in the dead letters.

use std::fmt;
use std::time::Duration;

use bus_runtime::transport::Verdict;
use bus_runtime::{Bus, Error, HandlerStats, QueueName, Stats, header};

use crate::Forge;
use crate::feed::Fed;
use crate::table::{Cell, Table};

/// How many dead letters of a queue are shown.
const DEAD_LETTERS_SHOWN: usize = 10;

/// How long to wait until a message that is to be tried again may be due.
const RETRY_LOOK_EVERY: Duration = Duration::from_millis(20);

/// The words before the names of our handlers that say nothing here.
const OWN_CRATE: &str = "bus_examples::";

/// What has happened.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was fed.
    pub fed: Fed,
    /// What the bus counted.
    pub stats: Stats,
    /// What could not be handled.
    pub dead_letters: Vec<DeadLetter>,
    /// What the forge knows now.
    pub forge: Forge,
}

/// A message that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue of dead letters that it is in.
    pub queue: String,
    /// Why, in a word.
    pub reason: String,
    /// Why, in a sentence.
    pub error: String,
    /// How its body begins.
    pub body: String,
}

impl Summary {
    /// Waits until everything that was published is handled, and sums it up.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn of(bus: &Bus, forge: &Forge, fed: Fed) -> Result<Self, Error> {
        wait_until_done(bus).await?;
        let mut dead_letters = Vec::new();
        for queue in &bus.plan().queues {
            dead_letters.extend(look_into(bus, &queue.dead).await?);
        }
        Ok(Self { fed, stats: bus.stats(), dead_letters, forge: forge.clone() })
    }

    fn handlers(&self) -> Table {
        let mut table = Table::new(["handler", "kind", "handled", "published", "retried", "dead letters"]);
        for handler in &self.stats.handlers {
            let name = handler.name.strip_prefix(OWN_CRATE).unwrap_or(&handler.name);
            let counts = [handler.handled, handler.published, handler.retried, handler.dead_lettered];
            table.row([name.into(), handler.kind.into()].into_iter().chain(counts.map(Cell::from)));
        }
        let sum =
            |count: fn(&HandlerStats) -> u64| Cell::from(self.stats.handlers.iter().map(count).sum::<u64>());
        table.row([
            "total".into(),
            "".into(),
            sum(|handler| handler.handled),
            sum(|handler| handler.published),
            sum(|handler| handler.retried),
            sum(|handler| handler.dead_lettered),
        ]);
        table
    }

    fn published(&self) -> String {
        let Fed { commits, parts, .. } = self.fed;
        let total = self.stats.published;
        let by_handlers: u64 = self.stats.handlers.iter().map(|handler| handler.published).sum();
        let others = total.saturating_sub(commits + parts + by_handlers);
        format!(
            "published {total} messages: {commits} commits, {parts} parts of mails, {by_handlers} by handlers, \
             {others} others"
        )
    }

    fn contents(&self) -> String {
        let (commits, authors) = self.forge.repository.totals();
        let (tickets, closed) = self.forge.tickets.totals();
        let (pages, words) = self.forge.wiki.totals();
        let (letters, kept) = (self.forge.outbox.sent(), self.forge.archive.len());
        format!(
            "the forge knows {commits} commits of {authors} authors, {tickets} tickets ({closed} closed) and \
             {pages} pages with {words} words; it sent {letters} letters and kept {kept} attachments"
        )
    }

    fn dead(&self) -> Table {
        let mut table = Table::new(["dead letters in", "reason", "error"]);
        for letter in &self.dead_letters {
            table.row([&*letter.queue, &letter.reason, &letter.error].map(Cell::from));
        }
        table
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stats.handlers.is_empty() {
            return writeln!(f, "{}", self.published());
        }
        writeln!(f, "{}\n{}\n{}", self.handlers(), self.published(), self.contents())?;
        if self.dead_letters.is_empty() { Ok(()) } else { write!(f, "\n{}", self.dead()) }
    }
}

/// Waits until nothing is queued, in flight, or waiting for another attempt.
async fn wait_until_done(bus: &Bus) -> Result<(), Error> {
    loop {
        let before = bus.stats();
        bus.settled().await?;
        if !is_anything_delayed(bus).await? && bus.stats() == before {
            return Ok(());
        }
        tokio::time::sleep(RETRY_LOOK_EVERY).await;
    }
}

/// Whether a message waits for its next attempt.
async fn is_anything_delayed(bus: &Bus) -> Result<bool, Error> {
    let plan = bus.plan();
    let ours = |name: &QueueName| plan.queues.iter().any(|queue| queue.name == *name || queue.dead == *name);
    for queue in plan.topology.queues.iter().filter(|queue| !ours(&queue.name)) {
        if bus.transport().inspect(&queue.name).await?.is_some_and(|state| state.ready > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at the first dead letters of a queue, and leaves them there.
async fn look_into(bus: &Bus, queue: &QueueName) -> Result<Vec<DeadLetter>, Error> {
    let mut taken = Vec::new();
    while taken.len() < DEAD_LETTERS_SHOWN {
        let Some(incoming) = bus.transport().get(queue).await? else { break };
        taken.push(incoming);
    }
    // Only now, so that none is looked at twice.
    let mut letters = Vec::new();
    for incoming in taken {
        let text = |name| incoming.envelope.headers.text(name).unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&incoming.envelope.body).chars().take(80).collect();
        letters.push(DeadLetter {
            queue: queue.to_string(),
            reason: text(header::REASON),
            error: text(header::ERROR),
            body,
        });
        incoming.settler.settle(Verdict::Requeue)?;
    }
    Ok(letters)
}
