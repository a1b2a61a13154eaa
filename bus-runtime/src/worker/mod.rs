//! The worker: consumes one queue, lets its handlers run side by side, and drains when the app stops.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
#[cfg(feature = "cli")]
use tracing::Instrument;

use crate::error::Error;
use crate::hub::Hub;
use crate::observe::QueueMeters;
#[cfg(feature = "cli")]
use crate::observe::spans;
use crate::seam;
use crate::topology::QueueEntry;
use crate::transport::{BoxFuture, ConsumeOptions, Consumer, Incoming};

mod bench;
mod brake;
mod budget;
mod call;
mod commands;
mod drain;
mod due;
mod failures;
mod fate;
mod in_flight;
mod instances;
mod job;
mod lanes;
mod local;
mod lookouts;
mod member;
mod pace;
mod perform;
mod phase;
mod stuck;
mod suspects;
mod telling;
mod valve;

pub(crate) use budget::Budget;
pub use commands::{CommandFinished, CommandStarted};
pub(crate) use drain::close_timeout;
#[cfg(feature = "cli")]
pub(crate) use due::run_due_once;
pub(crate) use due::{DUE_PREFETCH, run_due};
pub use failures::HandlerFailed;
pub(crate) use in_flight::InFlight;
pub(crate) use local::{LocalHandler, Locals};
pub(crate) use lookouts::Lookouts;
pub(crate) use member::Member;
pub(crate) use phase::{Phase, time_is_up};
pub(crate) use telling::Telling;
pub(crate) use valve::Valves;

use bench::Bench;
use brake::{Brake, Drains};
use job::Job;
use lanes::{Lanes, Slot};
use pace::Pace;
use valve::Position;

/// Consumes one queue.
pub(crate) struct Worker {
    hub: Arc<Hub>,
    queue: Arc<QueueEntry>,
    members: Vec<Member>,
    slots: Arc<Semaphore>,
    /// Who else takes slots.
    locals: Vec<LocalHandler>,
    /// A message that has come before there was a slot for it.
    in_hand: Option<Incoming>,
    /// Messages that may be here: those that have a slot and, on a queue with `ordered_by`, those that wait for their turn; with `batch`, those
    /// that wait for others.
    room: Arc<Semaphore>,
    lanes: Option<Lanes>,
    running: JoinSet<()>,
    /// Where the next message is worked on.
    bench: Option<Bench>,
    lookouts: Arc<Lookouts>,
    pace: Pace,
    meters: Option<Arc<QueueMeters>>,
}

impl Worker {
    pub(crate) fn new(
        hub: Arc<Hub>,
        queue: Arc<QueueEntry>,
        members: Vec<Member>,
        lookouts: Arc<Lookouts>,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(usize::from(queue.concurrency)));
        let locals = members.iter().filter_map(|member| LocalHandler::of(&queue, member, &slots)).collect();
        let lanes = queue.ordered_by.is_some().then(Lanes::new);
        let room = match (&lanes, queue.batch) {
            (None, None) => Arc::clone(&slots),
            _ => Arc::new(Semaphore::new(usize::from(queue.prefetch))),
        };
        let (pace, running) = (Pace::of(&members), JoinSet::new());
        let meters = hub.meters.queue(&queue.name).cloned();
        Self {
            hub,
            queue,
            members,
            slots,
            locals,
            in_hand: None,
            room,
            lanes,
            running,
            bench: None,
            lookouts,
            pace,
            meters,
        }
    }

    /// Its handlers of commands, to call directly.
    pub(crate) fn locals(&self) -> impl Iterator<Item = LocalHandler> {
        self.locals.iter().cloned()
    }

    /// Starts to consume; the app is ready when all its workers are.
    pub(crate) async fn start_to_consume(&mut self) -> Result<Box<dyn Consumer>, Error> {
        consume(&self.hub, &self.queue, &self.lookouts, self.prefetch()).await
    }

    fn prefetch(&self) -> u16 {
        self.pace.prefetch(self.queue.prefetch)
    }

    /// Handles messages until the app drains, then what has begun. Says how many messages were interrupted.
    pub(crate) async fn run(
        mut self,
        mut consumer: Box<dyn Consumer>,
        mut phase: watch::Receiver<Phase>,
    ) -> usize {
        let brake = Brake::of(&self.members);
        let mut pulled = Box::pin(brake.pulled());
        let hub = Arc::clone(&self.hub);
        let queue = self.queue.name.clone();
        let mut paused = Box::pin(hub.valves.until(&queue, Position::Closed));
        loop {
            // While messages come one after the other, nothing else has to know how to wake this worker.
            let is_told = phase.borrow().is_draining()
                || phase.has_changed().is_err()
                || brake.is_pulled()
                || hub.valves.is_closed(&queue);
            let at_once = if is_told { None } else { first_poll(pin!(self.next(&mut consumer))).await };
            let next = match at_once {
                Some(next) => next,
                None => tokio::select! {
                    biased;
                    () = phase::drains(&mut phase) => break,
                    () = &mut pulled => {
                        consumer = match self.rest(consumer, &mut phase).await {
                            Ok(consumer) => consumer,
                            Err(Drains(consumer)) => return self.drain(consumer, phase).await,
                        };
                        pulled.set(brake.pulled());
                        continue;
                    }
                    () = &mut paused => {
                        consumer = match self.pause(consumer, &mut phase).await {
                            Ok(consumer) => consumer,
                            Err(Drains(consumer)) => return self.drain(consumer, phase).await,
                        };
                        paused.set(hub.valves.until(&queue, Position::Closed));
                        continue;
                    }
                    next = self.next(&mut consumer) => next,
                },
            };
            match next {
                Some(Ok((incoming, _))) if !self.hub.budget.take() => {
                    self.in_hand = Some(incoming);
                    phase::drains(&mut phase).await;
                    break;
                }
                Some(Ok((incoming, slot))) if suspects::is_suspect(&incoming) => {
                    drop(slot);
                    consumer = match self.one_at_a_time(consumer, incoming, &mut phase).await {
                        Ok(consumer) => consumer,
                        Err(Drains(consumer)) => return self.drain(consumer, phase).await,
                    };
                }
                Some(Ok((incoming, slot))) => self.begin(incoming, slot).await,
                Some(Err(error)) => self.report(&error),
                None => break,
            }
            while self.running.try_join_next().is_some() {}
        }
        self.drain(Some(consumer), phase).await
    }

    /// Waits for room, for the handlers' layers, and for the next message.
    ///
    /// # Cancel safety
    /// Safe to cancel: a message that has come is kept.
    async fn next(
        &mut self,
        consumer: &mut Box<dyn Consumer>,
    ) -> Option<Result<(Incoming, OwnedSemaphorePermit), Error>> {
        let (mut slot, mut waited) = free(&self.room).await?;
        for member in &mut self.members {
            member.ready().await;
        }
        if self.in_hand.is_none() {
            self.pace.turn().await;
            // While there is no message, the slot is for commands that come directly.
            let kept = self.locals.is_empty().then_some(slot);
            let mut looks = 0_u32;
            let next = poll_fn(|cx| {
                looks = looks.saturating_add(1);
                consumer.poll_next(cx)
            });
            match next.await? {
                Ok(incoming) => {
                    self.in_hand = Some(incoming);
                    self.pace.step();
                }
                Err(error) => return Some(Err(error)),
            }
            waited = waited.filter(|_| looks == 1);
            slot = match kept {
                Some(slot) => slot,
                None => {
                    let (slot, again) = free(&self.room).await?;
                    waited = again.or(waited);
                    slot
                }
            };
        }
        if let Some(waited) = waited {
            self.members.iter().for_each(|member| member.counters.slot_wait.add(waited));
        }
        self.in_hand.take().map(|incoming| Ok((incoming, slot)))
    }

    /// Lets the handlers have a message. One that ends without waiting needs no task of its own.
    async fn begin(&mut self, incoming: Incoming, room: OwnedSemaphorePermit) {
        if incoming.redelivered {
            self.meters.iter().for_each(|queue| queue.redelivered.add_one());
        }
        let job = Job::new(&self.hub, &self.queue, &mut self.members, incoming);
        let handler = job.handler();
        let mut counted = self.hub.in_flight.enter();
        let work: BoxFuture<'static, ()> = match &self.lanes {
            Some(lanes) => {
                let mut work = Box::pin(lanes.run(job, &self.slots, room));
                if first_poll(work.as_mut()).await.is_some() {
                    return;
                }
                work
            }
            None => {
                let mut bench = self.bench.take().unwrap_or_else(bench::new);
                bench.as_mut().begin(job, Slot::free(room));
                if first_poll(bench.as_mut()).await.is_some() {
                    self.bench = Some(bench);
                    return;
                }
                bench
            }
        };
        if let Some(handler) = handler {
            counted.waits(handler);
        }
        seam::spawn_into(&mut self.running, "message", async move {
            let _counted = counted;
            work.await;
        });
    }

    /// Handles what is queued now, and ends when the queue is empty or the app drains. Says how many messages it took, and
    /// how many of them were interrupted. For `run --once`.
    #[cfg(feature = "cli")]
    pub(crate) async fn run_once(
        &mut self,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<(usize, usize), Error> {
        let mut taken = 0;
        let brake = Brake::of(&self.members);
        while !phase.borrow().is_draining() && !brake.is_pulled() && !self.hub.budget.is_spent() {
            let Some((slot, _)) = free(&self.room).await else { break };
            for member in &mut self.members {
                member.ready().await;
            }
            self.pace.turn().await;
            let transport = &self.hub.transport;
            let span = spans::receive(&**transport, &self.queue.name);
            let Some(incoming) = transport.get(&self.queue.name).instrument(span).await? else { break };
            self.pace.step();
            self.hub.budget.take();
            taken += 1;
            self.begin(incoming, slot).await;
        }
        if let (Some(lanes), true) = (&self.lanes, phase.borrow().is_draining()) {
            lanes.close();
        }
        Ok((taken, self.finish(phase).await))
    }

    fn report(&self, error: &Error) {
        tracing::warn!(
            queue = %self.queue.name,
            code = error.kind().code(),
            %error,
            "consuming was interrupted; the transport comes back by itself"
        );
    }
}

/// What a future has to say at once, if anything.
async fn first_poll<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Waits for a free slot, and says for how long. A message that is there already when the slot is free has waited for it.
async fn free(slots: &Arc<Semaphore>) -> Option<(OwnedSemaphorePermit, Option<Duration>)> {
    match Arc::clone(slots).try_acquire_owned() {
        Ok(slot) => Some((slot, None)),
        Err(_) => {
            let since = seam::now();
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
            Some((slot, Some(since.elapsed())))
        }
    }
}

/// Consumes a queue, and keeps the lookout of whoever wants to know how that stands.
async fn consume(
    hub: &Hub,
    queue: &QueueEntry,
    lookouts: &Lookouts,
    prefetch: u16,
) -> Result<Box<dyn Consumer>, Error> {
    let options = ConsumeOptions { prefetch, tag: format!("{}.{}", hub.worker, queue.name) };
    let consumer = hub.transport.consume(&queue.name, options).await?;
    lookouts.keep(&queue.name, &*consumer);
    Ok(consumer)
}

/// Keeps the seam the only place that knows how tasks start.
pub(crate) fn start(
    worker: Worker,
    consumer: Box<dyn Consumer>,
    phase: watch::Receiver<Phase>,
) -> tokio::task::JoinHandle<usize> {
    seam::spawn("worker", worker.run(consumer, phase))
}
