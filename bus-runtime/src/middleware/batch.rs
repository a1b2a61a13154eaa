//! The innermost layer of a handler with `batch(..)`: it gathers messages, calls the handler once, and gives each message its
//! own outcome.
//!
//! Each message comes through the layers by itself and waits here, so retries, dead letters and counters know nothing of
//! batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::{Semaphore, oneshot};
use tracing::Instrument;

use super::guard::{instead, limited};
use super::panicked;
use crate::blocking;
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::extract::{BatchCall, BatchItem};
use crate::observe::spans;
use crate::outcome::{HandlerError, Outcome, Outcomes};
use crate::registration::{BatchFn, ItemFn, judged};
use crate::scope::{CURRENT, Scope};
use crate::seam;
use crate::topology::HandlerEntry;

/// How long a batch goes on waiting for messages once the app shuts down: time for those that are here already.
const LAST_WAIT: Duration = Duration::from_millis(10);

/// How a handler is called with many messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Functions {
    pub(super) item: ItemFn,
    pub(super) call: BatchFn,
}

/// Gathers the messages of one handler.
#[derive(Debug)]
pub(super) struct Gatherer {
    entry: Arc<HandlerEntry>,
    counters: Arc<Counters>,
    functions: Functions,
    size: usize,
    wait: Duration,
    /// Batches that may run at once.
    slots: Arc<Semaphore>,
    open: Mutex<Open>,
}

/// The batch that takes messages now.
#[derive(Debug, Default)]
struct Open {
    /// Which one it is: they are numbered.
    number: u64,
    messages: Vec<Waiting>,
    /// Where its messages go when it is full; none while there is no batch.
    full: Option<oneshot::Sender<Vec<Waiting>>>,
    wanted: Weak<Wanted>,
}

/// A message that waits for its outcome.
#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    items: Vec<BatchItem>,
    outcome: oneshot::Sender<Outcome>,
}

/// Held by each message of a batch: when all of them have been given up, so is the batch.
#[derive(Debug)]
struct Wanted(Mutex<Option<tokio::task::AbortHandle>>);

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Gatherer {
    pub(super) fn new(
        entry: &Arc<HandlerEntry>,
        counters: &Arc<Counters>,
        functions: Functions,
        size: usize,
        wait: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            entry: Arc::clone(entry),
            counters: Arc::clone(counters),
            functions,
            size,
            wait,
            slots: Arc::new(Semaphore::new(usize::from(entry.concurrency))),
            open: Mutex::default(),
        })
    }

    /// Lets a message be part of a batch, and says what became of it. One that cannot be decoded is part of none, and one
    /// that has failed before is a batch by itself: what is wrong with it must not be laid to others' charge again.
    pub(super) async fn handle(self: Arc<Self>, delivery: Delivery) -> Result<Outcome, BoxError> {
        match limited(self.entry.timeout, instead(&self.entry, &delivery)).await {
            Ok(None) => {}
            Ok(Some(Ok(outcome))) => return Ok(judged(outcome)),
            Ok(Some(Err(rejection))) => return Ok(rejection.into()),
            Err(error) => return Ok(Outcome::Failed(error)),
        }
        let items = match catch_unwind(AssertUnwindSafe(|| (self.functions.item)(&delivery))) {
            Ok(Ok(items)) => items,
            Ok(Err(rejection)) => return Ok(rejection.into()),
            Err(panic) => return Ok(Outcome::Failed(panicked(panic.as_ref()))),
        };
        let again = delivery.metadata().attempt() > 1;
        let (outcome, decided) = oneshot::channel();
        let waiting = Waiting { delivery, items, outcome };
        let wanted = if again { self.alone(waiting) } else { self.add(waiting) };
        let outcome = decided.await;
        drop(wanted);
        Ok(outcome
            .unwrap_or_else(|_| Outcome::Failed(HandlerError::new("the call of the batch was given up"))))
    }

    fn alone(self: &Arc<Self>, waiting: Waiting) -> Arc<Wanted> {
        let gatherer = Arc::clone(self);
        start(async move { gatherer.call(vec![waiting]).await })
    }

    /// Adds a message to the open batch, or opens one.
    fn add(self: &Arc<Self>, waiting: Waiting) -> Arc<Wanted> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = match open.wanted.upgrade() {
            Some(wanted) if open.full.is_some() => wanted,
            _ => self.begin(&mut open, &waiting.delivery),
        };
        open.messages.push(waiting);
        if open.messages.len() >= self.size
            && let Some(full) = open.full.take()
        {
            // Its task is gone only when all of its messages are.
            let _ = full.send(std::mem::take(&mut open.messages));
        }
        wanted
    }

    fn begin(self: &Arc<Self>, open: &mut Open, first: &Delivery) -> Arc<Wanted> {
        let (full, mut filled) = oneshot::channel();
        open.number += 1;
        // Messages that are left of a batch which was given up were given up with it.
        open.messages.clear();
        open.full = Some(full);
        let (gatherer, number) = (Arc::clone(self), open.number);
        let mut shutdown = first.scope().shutdown();
        let wanted = start(async move {
            let last = async {
                shutdown.begins().await;
                seam::sleep(LAST_WAIT).await;
            };
            let in_time = tokio::select! {
                biased;
                messages = &mut filled => messages.ok(),
                () = seam::sleep(gatherer.wait) => gatherer.close(number),
                () = last => gatherer.close(number),
            };
            let messages = match in_time {
                Some(messages) => messages,
                // It was filled in the last moment.
                None => filled.await.unwrap_or_default(),
            };
            gatherer.call(messages).await;
        });
        open.wanted = Arc::downgrade(&wanted);
        wanted
    }

    /// Takes the messages of a batch that is not full; `None` when it has just been filled.
    fn close(&self, number: u64) -> Option<Vec<Waiting>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.number != number {
            return None;
        }
        open.full.take()?;
        Some(std::mem::take(&mut open.messages))
    }

    /// Calls the handler with these messages, but for those that were given up meanwhile.
    async fn call(&self, mut messages: Vec<Waiting>) {
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
        messages.retain(|message| !message.outcome.is_closed());
        let Some(first) = messages.first() else { return };
        self.counters.batches.add_one();
        let deliveries: Vec<_> = messages.iter().map(|message| message.delivery.clone()).collect();
        let scope = Arc::new(Scope::of_batch(first.delivery.scope(), &deliveries));
        let mut decided = Vec::with_capacity(messages.len());
        let mut items = Vec::with_capacity(messages.len());
        for Waiting { items: item, outcome, .. } in messages {
            decided.push(outcome);
            items.push(item);
        }
        let batch = BatchCall::new(Delivery::new(scope.metadata().clone(), Arc::clone(&scope)), items);
        let span = spans::batch(&scope.hub, &self.entry, &deliveries);
        let call = CURRENT.scope(Arc::clone(&scope), async { (self.functions.call)(batch).await });
        let call = blocking::polled(&self.counters, call);
        let returned = limited(self.entry.timeout, call).instrument(span).await;
        let outcomes = match returned {
            Ok(Ok(outcomes)) => outcomes.map(judged),
            Ok(Err(rejection)) => Outcomes::All(rejection.into()),
            Err(error) => Outcomes::All(Outcome::Failed(error)),
        };
        if let Some(returned) = scope.goes_on() {
            // A plain function that has timed out runs on, and keeps its slot until it returns.
            let counters = Arc::clone(&self.counters);
            counters.stuck.add_one();
            tracing::error!(code = "BUS0212", handler = %self.entry.name, "the handler is stuck: it is a plain fn that goes on after its timeout, and keeps its slot until it returns");
            seam::spawn("stuck", async move {
                let _ = returned.acquire().await;
                counters.stuck.take_one();
                drop(slot);
            });
        }
        let outcomes = self.publish(&scope, &deliveries, outcomes.of_each(deliveries.len())).await;
        for (decided, outcome) in decided.into_iter().zip(outcomes) {
            // Whoever gave the message up has settled it.
            let _ = decided.send(outcome);
        }
    }

    /// Sends what the handler has published, when it has done any of the messages, and before any of them is acknowledged. The
    /// outcomes are what they were if all of it is confirmed.
    async fn publish(
        &self,
        scope: &Arc<Scope>,
        deliveries: &[Delivery],
        outcomes: Vec<Outcome>,
    ) -> Vec<Outcome> {
        let staged = scope.close().drafts;
        if staged.is_empty() || !outcomes.iter().any(Outcome::is_success) {
            return outcomes;
        }
        let sends = staged.into_iter().map(|draft| scope.hub.send_draft(draft));
        let mut refused = None;
        for sent in join_all(sends).await {
            match sent {
                Ok(()) => self.counters.published.add_one(),
                Err(error) if error.kind().is_interruption() => {
                    tracing::warn!(handler = %self.entry.name, %error, "what the handler published is not confirmed; its messages come back");
                    deliveries.iter().for_each(|delivery| delivery.scope().interrupt());
                }
                Err(error) => refused = Some(error),
            }
        }
        let Some(refused) = refused else { return outcomes };
        let failed = Outcomes::All(Outcome::Failed(HandlerError::new(refused))).of_each(outcomes.len());
        let replace = |(outcome, failed)| match outcome {
            Outcome::Done(_) | Outcome::Ack => failed,
            outcome => outcome,
        };
        outcomes.into_iter().zip(failed).map(replace).collect()
    }
}

/// Starts the task of a batch, which ends when nobody wants it any more.
fn start(batch: impl Future<Output = ()> + Send + 'static) -> Arc<Wanted> {
    let task = seam::spawn("batch", AssertUnwindSafe(batch).catch_unwind());
    Arc::new(Wanted(Mutex::new(Some(task.abort_handle()))))
}
