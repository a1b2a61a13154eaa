//! The worker: consumes one queue, lets its handlers run side by side, and drains when the app stops.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::Either;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::Error;
use crate::hub::Hub;
use crate::seam;
use crate::topology::QueueEntry;
use crate::transport::{ConsumeOptions, Consumer, Incoming, Verdict};

mod answer;
mod in_flight;
mod instances;
mod job;
mod lanes;
mod member;
mod perform;

pub(crate) use in_flight::InFlight;
pub(crate) use member::Member;

use job::Job;
use lanes::{Lanes, Slot};

/// What the workers of an app have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Take messages.
    Running,
    /// Take no more; finish what has begun until then.
    Draining(Instant),
}

/// Consumes one queue.
pub(crate) struct Worker {
    hub: Arc<Hub>,
    queue: Arc<QueueEntry>,
    members: Vec<Member>,
    slots: Arc<Semaphore>,
    /// Messages that may be here: those that have a slot and, on a queue with `ordered_by`, those that wait for their turn; with `batch`, those
    /// that wait for others.
    room: Arc<Semaphore>,
    lanes: Option<Lanes>,
    running: JoinSet<()>,
    in_flight: Arc<InFlight>,
}

impl Worker {
    pub(crate) fn new(
        hub: Arc<Hub>,
        queue: Arc<QueueEntry>,
        members: Vec<Member>,
        in_flight: Arc<InFlight>,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(usize::from(queue.concurrency)));
        let lanes = queue.ordered_by.is_some().then(Lanes::new);
        let room = match (&lanes, queue.batch) {
            (None, None) => Arc::clone(&slots),
            _ => Arc::new(Semaphore::new(usize::from(queue.prefetch))),
        };
        Self { hub, queue, members, slots, room, lanes, running: JoinSet::new(), in_flight }
    }

    /// Starts to consume; the app is ready when all its workers are.
    pub(crate) async fn consume(&self) -> Result<Box<dyn Consumer>, Error> {
        let options = ConsumeOptions {
            prefetch: self.queue.prefetch,
            tag: format!("{}.{}", self.hub.worker, self.queue.name),
        };
        self.hub.transport.consume(&self.queue.name, options).await
    }

    /// Handles messages until the app drains, then what has begun. Says how many messages were interrupted.
    pub(crate) async fn run(
        mut self,
        mut consumer: Box<dyn Consumer>,
        mut phase: watch::Receiver<Phase>,
    ) -> usize {
        loop {
            let next = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
                next = self.next(&mut consumer) => next,
            };
            match next {
                Some(Ok((incoming, slot))) => self.begin(incoming, slot).await,
                Some(Err(error)) => self.report(&error),
                None => break,
            }
            while self.running.try_join_next().is_some() {}
        }
        self.drain(consumer, phase).await
    }

    /// Waits for room, for the handlers' layers, and for the next message.
    async fn next(
        &mut self,
        consumer: &mut Box<dyn Consumer>,
    ) -> Option<Result<(Incoming, OwnedSemaphorePermit), Error>> {
        let slot = Arc::clone(&self.room).acquire_owned().await.ok()?;
        for member in &mut self.members {
            member.ready().await;
        }
        match poll_fn(|cx| consumer.poll_next(cx)).await? {
            Ok(incoming) => Some(Ok((incoming, slot))),
            Err(error) => Some(Err(error)),
        }
    }

    /// Lets the handlers have a message. One that ends without waiting needs no task of its own.
    async fn begin(&mut self, incoming: Incoming, room: OwnedSemaphorePermit) {
        let job = Job::new(&self.hub, &self.queue, &mut self.members, incoming);
        let counted = self.in_flight.enter();
        let run = match &self.lanes {
            None => Either::Left(job.run(Slot::free(room))),
            Some(lanes) => Either::Right(lanes.run(job, &self.slots, room)),
        };
        let mut work = Box::pin(async move {
            let _counted = counted;
            run.await;
        });
        let first = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
        if first.is_pending() {
            self.running.spawn(work);
        }
    }

    /// Handles what is queued now, and ends when the queue is empty. For `run --once`.
    #[cfg(feature = "cli")]
    pub(crate) async fn run_once(&mut self) -> Result<usize, Error> {
        let mut taken = 0;
        loop {
            let Some(slot) = Arc::clone(&self.room).acquire_owned().await.ok() else { return Ok(taken) };
            for member in &mut self.members {
                member.ready().await;
            }
            let Some(incoming) = self.hub.transport.get(&self.queue.name).await? else { break };
            taken += 1;
            self.begin(incoming, slot).await;
        }
        while self.running.join_next().await.is_some() {}
        Ok(taken)
    }

    /// Gives back what has not begun, finishes what has, and interrupts what takes too long.
    async fn drain(mut self, mut consumer: Box<dyn Consumer>, mut phase: watch::Receiver<Phase>) -> usize {
        if let Some(lanes) = &self.lanes {
            lanes.close();
        }
        consumer.cancel().await;
        while let Some(item) = poll_fn(|cx| consumer.poll_next(cx)).await {
            let Ok(incoming) = item else { continue };
            if self.lanes.is_some() {
                // It stays unsettled, and goes back when what it must not overtake has ended.
                continue;
            }
            // The broker delivers it again to somebody else; an error means that it does so anyway.
            let _ = incoming.settler.settle(Verdict::Requeue);
        }
        loop {
            let deadline = match *phase.borrow_and_update() {
                Phase::Running => None,
                Phase::Draining(deadline) => Some(deadline),
            };
            let finished = tokio::select! {
                joined = self.running.join_next() => joined.is_none(),
                () = until(deadline) => break,
                // A second signal brings the deadline forward.
                changed = phase.changed() => changed.is_err(),
            };
            if finished {
                break;
            }
        }
        let interrupted = self.running.len();
        self.running.shutdown().await;
        if interrupted > 0 {
            tracing::warn!(queue = %self.queue.name, interrupted, "handlers were interrupted; their messages go back to the queue");
        }
        consumer.close(CLOSE_TIMEOUT).await;
        interrupted
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

/// How long a consumer may take to write its last settlements and close.
const CLOSE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Forwards what comes out of `bus.due` until the app drains.
pub(crate) async fn run_due(
    hub: Arc<Hub>,
    mut consumer: Box<dyn Consumer>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut forwarding = JoinSet::new();
    loop {
        let item = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
            item = poll_fn(|cx| consumer.poll_next(cx)) => item,
        };
        match item {
            Some(Ok(incoming)) => {
                forwarding.spawn(crate::due::forward(Arc::clone(&hub), incoming));
            }
            Some(Err(error)) => tracing::warn!(%error, "the queue of due messages was interrupted"),
            None => break,
        }
        while forwarding.try_join_next().is_some() {}
    }
    consumer.cancel().await;
    // Whatever is not confirmed yet goes back to `bus.due`: a due message loses nothing by being sent a little later.
    forwarding.shutdown().await;
    consumer.close(CLOSE_TIMEOUT).await;
}

/// Forwards what is due now. For `run --once`.
#[cfg(feature = "cli")]
pub(crate) async fn run_due_once(hub: &Arc<Hub>) -> Result<usize, Error> {
    let queue = crate::names::QueueName::new(crate::topology::naming::due(&hub.settings.prefix))?;
    let mut taken = 0;
    while let Some(incoming) = hub.transport.get(&queue).await? {
        crate::due::forward(Arc::clone(hub), incoming).await;
        taken += 1;
    }
    Ok(taken)
}

/// The messages that `bus.due` may have outstanding: each is one publish.
pub(crate) const DUE_PREFETCH: u16 = 256;

/// Keeps the seam the only place that knows how tasks start.
pub(crate) fn start(
    worker: Worker,
    consumer: Box<dyn Consumer>,
    phase: watch::Receiver<Phase>,
) -> tokio::task::JoinHandle<usize> {
    seam::spawn("worker", worker.run(consumer, phase))
}
