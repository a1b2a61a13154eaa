//! Commands whose handler is in this process: they are called without a round trip through the broker.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::call::Judged;
use super::in_flight::InFlight;
use super::job::Case;
use super::lanes::Slot;
use super::member::{Member, SharedCalls};
use super::perform::Verdicts;
use super::stuck;
use crate::arrival::Arrival;
use crate::command::{Answer, CommandFailure, shut_down};
use crate::counters::Counters;
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::right::Right;
use crate::scope::Scope;
use crate::seam;
use crate::topology::{HandlerEntry, QueueEntry};
use crate::transport::Confirmation;

/// How many commands may wait for each other before it is taken for a circle.
const DEPTH_MAX: u16 = 64;
/// How many of them are called on the stack of their caller; the others have a task, and so a stack, of their own.
const ON_STACK_MAX: u16 = 4;
/// How long a command rests whose messages could not be sent because the connection was lost.
const INTERRUPTED_PAUSE: Duration = Duration::from_millis(500);

/// The handlers of commands that are in this process, by topic.
#[derive(Debug, Default)]
pub(crate) struct Locals {
    by_topic: RwLock<HashMap<String, Vec<LocalHandler>>>,
    in_flight: Arc<InFlight>,
}

/// The handler of a command, with the slots of its queue.
#[derive(Clone, Debug)]
pub(crate) struct LocalHandler(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Arc<QueueEntry>,
    entry: Arc<HandlerEntry>,
    counters: Arc<Counters>,
    calls: SharedCalls,
    slots: Arc<Semaphore>,
}

impl Locals {
    pub(crate) fn add(&self, local: LocalHandler) {
        let topic = local.0.entry.message.map_or("", |message| message.topic).to_owned();
        self.by_topic.write().unwrap_or_else(PoisonError::into_inner).entry(topic).or_default().push(local);
    }

    /// The handler that a command would reach by way of the broker.
    pub(crate) fn find(&self, command: &Envelope) -> Option<LocalHandler> {
        let locals = self.by_topic.read().unwrap_or_else(PoisonError::into_inner);
        let of_topic = locals.get(&*command.routing_key)?;
        of_topic.iter().find(|local| local.0.entry.exchange == command.exchange).cloned()
    }
}

impl Locals {
    /// The commands that are being handled without a message.
    pub(crate) fn in_flight(&self) -> &Arc<InFlight> {
        &self.in_flight
    }
}

impl LocalHandler {
    /// The way to call a member of a queue directly; `None` when it is no command, or when its messages wait for each other.
    pub(super) fn of(queue: &Arc<QueueEntry>, member: &Member, slots: &Arc<Semaphore>) -> Option<Self> {
        let in_order = queue.declaration.arguments.single_active_consumer || queue.ordered_by.is_some();
        // What limits how the queue is consumed limits commands too.
        let limited = queue.members.iter().any(|entry| entry.breaker.is_some() || entry.rate_limit.is_some());
        if !member.entry.is_command() || in_order || limited {
            return None;
        }
        Some(Self(Arc::new(Inner {
            queue: Arc::clone(queue),
            entry: Arc::clone(&member.entry),
            counters: Arc::clone(&member.counters),
            calls: member.shared()?.clone(),
            slots: Arc::clone(slots),
        })))
    }

    /// Calls the handler, as the worker would for a message: with its layers, its timeout and its counters.
    ///
    /// A command that a handler executes does not wait for a slot, or two handlers could wait for each other: when none is
    /// free it runs on its caller's.
    ///
    /// # Errors
    /// [`NestedTooDeep`](ErrorKind::NestedTooDeep), and [`Closed`](ErrorKind::Closed) when the app shuts down meanwhile.
    ///
    /// # Cancel safety
    /// A handler that has begun goes on; one that has not does not begin.
    pub(crate) async fn execute(
        self,
        hub: &Arc<Hub>,
        command: Envelope,
        caller: Option<&Scope>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let mut finished = hub.shutdown_finished();
        if *finished.borrow() {
            return Err(shut_down());
        }
        let depth = caller.map_or(0, |caller| caller.depth() + 1);
        if depth > DEPTH_MAX {
            return Err(too_deep(&command));
        }
        let slots = &self.0.slots;
        let slot = match caller {
            Some(_) => Arc::clone(slots).try_acquire_owned().ok(),
            None => Arc::clone(slots).acquire_owned().await.ok(),
        };
        let command = Arc::new(command);
        if let Some(witness) = hub.witness() {
            witness.published(&command, Confirmation::Routed);
        }
        let mut work = Box::pin(self.run(Arc::clone(hub), command, Turn { slot, depth, deadline }));
        if depth < ON_STACK_MAX {
            // A handler that does not wait needs no task.
            let first = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
            if let Poll::Ready(answer) = first {
                return Ok(answer);
            }
        }
        let (sender, receiver) = oneshot::channel();
        seam::spawn("command", async move {
            tokio::select! {
                biased;
                answer = work => {
                    // Whoever asked may have given up.
                    let _ = sender.send(answer);
                }
                _ = finished.wait_for(|finished| *finished) => {}
            }
        });
        receiver.await.map_err(|_| shut_down())
    }

    /// Calls the handler until there is an answer: what would wait on the broker for its next attempt waits here.
    async fn run(self, hub: Arc<Hub>, command: Arc<Envelope>, mut turn: Turn) -> Answer {
        let _in_flight = (hub.in_flight.enter(), hub.locals.in_flight.enter());
        let Inner { queue, entry, counters, calls, slots } = &*self.0;
        let mut arrival = Arrival::of(command, &queue.name, false);
        loop {
            let case = Case {
                hub: Arc::clone(&hub),
                queue: Arc::clone(queue),
                arrival,
                right: Arc::new(Right::of_nothing()),
                depth: turn.depth,
            };
            if !case.is_wanted_by(entry) {
                counters.filtered.add_one();
                return Err(CommandFailure::filtered());
            }
            let again = match case.call_shared(entry, counters, calls).run(&hub, &case.arrival).await {
                Some(mut judged) => {
                    let stuck = judged.iter_mut().filter_map(|judged| judged.stuck.take()).collect();
                    if let Some(slot) = turn.slot.take() {
                        stuck::free(Slot::free(slot), stuck);
                    }
                    match settle(&case, judged) {
                        Settled::Answered(answer, rest) => {
                            if let Some(verdicts) = rest {
                                perform(case, verdicts);
                            }
                            return answer;
                        }
                        Settled::Again(again) => again,
                    }
                }
                None => (INTERRUPTED_PAUSE, case.arrival.metadata.attempt(), case.arrival.requeues),
            };
            arrival = case.arrival;
            let delay;
            (delay, arrival.metadata.attempt, arrival.requeues) = again;
            arrival.first_failed_at.get_or_insert_with(seam::wall_clock);
            if !turn.comes_again(delay, slots).await {
                return expired(counters);
            }
        }
    }
}

/// When and where a call may run.
struct Turn {
    slot: Option<OwnedSemaphorePermit>,
    depth: u16,
    deadline: Instant,
}

impl Turn {
    /// Waits for the next attempt, without a slot meanwhile. Not when nobody will wait for its answer.
    async fn comes_again(&mut self, delay: Duration, slots: &Arc<Semaphore>) -> bool {
        self.slot = None;
        seam::sleep(delay).await;
        if self.depth == 0 {
            self.slot = Arc::clone(slots).acquire_owned().await.ok();
        }
        seam::now() < self.deadline
    }
}

/// What follows from a call.
enum Settled {
    /// It is done, but for copies that somebody must be given.
    Answered(Answer, Option<Verdicts>),
    /// It is called again: after which delay, as which attempt, how often put back.
    Again((Duration, u32, u32)),
}

fn settle(case: &Case, judged: Vec<Judged>) -> Settled {
    let verdicts = Verdicts::of(case, judged);
    if let Some(again) = verdicts.again(case) {
        verdicts.count(case);
        return Settled::Again(again);
    }
    let answer = verdicts.answer();
    if verdicts.need_copies() {
        return Settled::Answered(answer, Some(verdicts));
    }
    verdicts.count(case);
    Settled::Answered(answer, None)
}

/// Publishes a dead letter; whoever asked does not wait for that.
fn perform(case: Case, verdicts: Verdicts) {
    let counted = (case.hub.in_flight.enter(), case.hub.locals.in_flight.enter());
    let mut finished = case.hub.shutdown_finished();
    seam::spawn("dead letter of a command", async move {
        let _counted = counted;
        tokio::select! {
            biased;
            _ = verdicts.perform(&case) => {}
            _ = finished.wait_for(|finished| *finished) => {}
        }
    });
}

fn expired(counters: &Counters) -> Answer {
    counters.expired.add_one();
    Err(CommandFailure::expired())
}

fn too_deep(command: &Envelope) -> Error {
    Error::new(
        ErrorKind::NestedTooDeep,
        format!(
            "command `{}` is executed by more than {DEPTH_MAX} commands inside each other",
            command.routing_key
        ),
    )
    .with_help("do handlers of commands execute each other in a circle?")
}
