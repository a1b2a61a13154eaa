//! One message from its arrival to its settlement.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tracing::Instrument;

use super::failures;
use super::fate::{self, Fate};
use super::instances::InstanceCalls;
use super::lanes::{self, Slot};
use super::member::{Calls, Member, SharedCalls, Stack};
use super::perform::{self, Performed, Verdicts};
use super::stuck::{self, Stuck};
use crate::arrival::{self, Arrival};
use crate::breaker::BreakerState;
use crate::command::{self, Answer, CommandFailure};
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::hub::Hub;
use crate::idempotency::Permission;
use crate::middleware::panicked;
use crate::outcome::{DeadLetterReason, HandlerError, Outcome};
use crate::policy::AckMode;
use crate::registration::judged;
use crate::right::Right;
use crate::scope::{CURRENT, Closed, Scope};
use crate::topology::{HandlerEntry, QueueEntry};
use crate::transport::{BoxFuture, Incoming, Verdict};

/// One message on its way through the handlers of its queue.
pub(super) struct Job {
    case: Case,
    calls: Vec<Called>,
    /// Why it is settled without any call.
    refused: Option<Refused>,
}

/// What becomes of a message that no handler is called for.
enum Refused {
    As(Outcome),
    /// It is a command, and whoever sent it has given up.
    Late,
}

/// A message and where it is: what its settlement depends on beside the outcomes.
pub(super) struct Case {
    pub(super) hub: Arc<Hub>,
    pub(super) queue: Arc<QueueEntry>,
    pub(super) arrival: Arrival,
    pub(super) right: Arc<Right>,
    /// How many commands of this process wait for it.
    pub(super) depth: u16,
}

/// One handler that the message is for.
pub(super) enum Called {
    Function(Call),
    Method(InstanceCalls),
}

/// One call of a handler.
pub(super) struct Call {
    pub(super) entry: Arc<HandlerEntry>,
    pub(super) counters: Arc<Counters>,
    pub(super) scope: Arc<Scope>,
    pub(super) future: BoxFuture<'static, Result<Outcome, BoxError>>,
    /// The key of the instance that it is for.
    pub(super) instance: Option<String>,
}

/// What one handler, or one instance of it, made of the message.
pub(super) struct Judged {
    pub(super) entry: Arc<HandlerEntry>,
    pub(super) counters: Arc<Counters>,
    pub(super) outcome: Outcome,
    /// The key of the instance: another attempt is for this one alone.
    pub(super) instance: Option<String>,
    /// The call has acknowledged the message itself.
    pub(super) acknowledged: bool,
    /// It is a plain function that goes on.
    pub(super) stuck: Option<Stuck>,
}

impl Job {
    /// Finds the handlers that the message is for. Their futures do nothing until they are polled.
    pub(super) fn new(
        hub: &Arc<Hub>,
        queue: &Arc<QueueEntry>,
        members: &mut [Member],
        incoming: Incoming,
    ) -> Self {
        let Incoming { envelope, redelivered, delivery_count: _, defect, settler } = incoming;
        let arrival = Arrival::of(envelope, &queue.name, redelivered);
        let right = Arc::new(Right::new(settler));
        let case = Case { hub: Arc::clone(hub), queue: Arc::clone(queue), arrival, right, depth: 0 };
        let mut job = Self { case, calls: Vec::new(), refused: None };
        if arrival::size(job.case.arrival.metadata.headers()) > arrival::HEADERS_MAX {
            let too_large = "the headers are too large";
            let outcome = Outcome::DeadLetter(DeadLetterReason::TooLarge, too_large.into());
            job.refused = Some(Refused::As(outcome));
            return job;
        }
        if let Some(defect) = defect {
            job.refused = Some(Refused::As(Outcome::DeadLetter(DeadLetterReason::Malformed, defect)));
            return job;
        }
        job.find_calls(members);
        job
    }

    /// The handler that it is for; the first of several.
    pub(super) fn handler(&self) -> Option<Arc<HandlerEntry>> {
        self.calls.first().map(|called| Arc::clone(called.parts().0))
    }

    fn find_calls(&mut self, members: &mut [Member]) {
        let mut filtered = false;
        for member in members {
            if !self.case.is_for(&member.entry) {
                continue;
            }
            if !self.case.is_wanted_by(&member.entry) {
                member.counters.filtered.add_one();
                filtered = true;
                continue;
            }
            self.case.right.needed_by(1);
            self.calls.push(self.case.call(member));
        }
        if self.calls.is_empty() {
            let outcome = if filtered { Outcome::Discard } else { self.case.unknown() };
            self.refused = Some(Refused::As(outcome));
        }
    }

    /// The counters of the handler of a command, when whoever sent it has given up. What the broker holds expires there; what
    /// a worker has fetched ahead expires here.
    fn late(&self) -> Option<Arc<Counters>> {
        let deadline = self.case.arrival.deadline?;
        let mut commands = self.calls.iter().filter(|called| called.parts().0.is_command());
        let command = commands.next().filter(|_| deadline <= crate::seam::wall_clock())?;
        Some(Arc::clone(command.parts().1))
    }

    /// What it has in common with the messages that it must not overtake.
    pub(super) fn key(&self) -> Option<String> {
        lanes::key_of(&self.case.queue, &self.case.arrival)
    }

    /// Runs the handlers and settles the message. The slot is free as soon as the handlers have ended.
    pub(super) async fn run(mut self, slot: Slot) {
        self.case.hub.settling.begin(&self.case.arrival);
        if let Some(counters) = self.late() {
            counters.expired.add_one();
            self.refused = Some(Refused::Late);
        }
        if let Some(refused) = self.refused.take() {
            drop(slot);
            return self.refuse(refused).await;
        }
        let calls = std::mem::take(&mut self.calls);
        if self.case.queue.ack == AckMode::OnReceive {
            self.case.right.settle(Verdict::Ack);
            let (fate, stuck) = self.case.run_unacknowledged(calls).await;
            stuck::free(slot, stuck);
            return fate::tell(&self.case, fate).await;
        }
        let Some(mut judged) = run_calls(&self.case.hub, &self.case.arrival, calls).await else {
            drop(slot);
            return self.case.right.settle(Verdict::Requeue);
        };
        stuck::free(slot, judged.iter_mut().filter_map(|judged| judged.stuck.take()).collect());
        self.settle(judged).await;
    }

    /// Settles a message that no handler was called for.
    async fn refuse(self, refused: Refused) {
        let Refused::As(outcome) = refused else {
            self.case.answer(&Err(CommandFailure::expired())).await;
            self.case.right.settle(Verdict::Ack);
            return fate::tell(&self.case, Fate::Dead).await;
        };
        let Some(first) = self.case.queue.members.first().cloned() else {
            return give_up(&self.case).await;
        };
        if let Outcome::DeadLetter(DeadLetterReason::TooLarge, _) = outcome {
            if first.is_command() {
                self.case.answer(&command::answer(&outcome)).await;
            }
            // A copy with its story would not fit into a frame.
            give_up(&self.case).await;
            return fate::tell(&self.case, Fate::Dead).await;
        }
        let instance = self.case.arrival.instance.clone();
        let counters = Arc::default();
        let judged = Judged { entry: first, counters, outcome, instance, acknowledged: false, stuck: None };
        self.settle(vec![judged]).await;
    }

    async fn settle(self, judged: Vec<Judged>) {
        let case = self.case;
        let verdicts = Verdicts::of(&case, judged);
        let (decided, comes_back) = (verdicts.fate(), verdicts.come_back(&case));
        let decided = match verdicts.perform(&case).await {
            Performed::Done => {
                case.right.settle(Verdict::Ack);
                decided
            }
            Performed::Refused => {
                give_up(&case).await;
                Fate::Dead
            }
        };
        fate::tell_and_await(&case, decided, comes_back).await;
    }
}

/// Moves a message to the dead letters as it is. The broker itself does it, but for a queue of others, which may have been
/// declared without dead letters.
async fn give_up(case: &Case) {
    if !case.queue.foreign {
        return case.right.settle(Verdict::Reject);
    }
    let verdict = match perform::bury(case).await {
        Ok(()) => Verdict::Ack,
        Err(error) => {
            tracing::error!(queue = %case.queue.name, %error, "a message can be moved to no dead letters; it stays in its queue");
            crate::seam::sleep(perform::OFFER_AGAIN.1).await;
            Verdict::Requeue
        }
    };
    case.right.settle(verdict);
}

impl Case {
    /// Whether the message is for this handler: a retried copy names the one that failed.
    fn is_for(&self, entry: &HandlerEntry) -> bool {
        let metadata = &self.arrival.metadata;
        match &self.arrival.member {
            Some(member) => *member == entry.name,
            None => entry.wants(metadata.exchange(), metadata.routing_key(), metadata.message_type()),
        }
    }

    fn call(&self, member: &mut Member) -> Called {
        match &mut member.calls {
            Calls::Function(stack) => {
                let (scope, delivery) = self.delivery(&member.entry);
                Self::function(&member.entry, &member.counters, scope, stack.call(delivery))
            }
            Calls::Shared(calls) => self.call_shared(&member.entry, &member.counters, calls),
        }
    }

    pub(super) fn call_shared(
        &self,
        entry: &Arc<HandlerEntry>,
        counters: &Arc<Counters>,
        calls: &SharedCalls,
    ) -> Called {
        match calls {
            SharedCalls::Function(stack) => {
                let (scope, delivery) = self.delivery(entry);
                let future = call_when_ready(Arc::clone(stack), delivery);
                Self::function(entry, counters, scope, Box::pin(future))
            }
            SharedCalls::Method(finder, stack) => Called::Method(InstanceCalls {
                entry: Arc::clone(entry),
                counters: Arc::clone(counters),
                finder: *finder,
                stack: Arc::clone(stack),
                right: Arc::clone(&self.right),
                depth: self.depth,
            }),
        }
    }

    fn function(
        entry: &Arc<HandlerEntry>,
        counters: &Arc<Counters>,
        scope: Arc<Scope>,
        future: BoxFuture<'static, Result<Outcome, BoxError>>,
    ) -> Called {
        let (entry, counters) = (Arc::clone(entry), Arc::clone(counters));
        Called::Function(Call { entry, counters, scope, future, instance: None })
    }

    fn delivery(&self, entry: &Arc<HandlerEntry>) -> (Arc<Scope>, Delivery) {
        let metadata = self.arrival.metadata.clone();
        let scope =
            Scope::new(Arc::clone(&self.hub), Arc::clone(entry), metadata.clone(), Arc::clone(&self.right));
        let scope = Arc::new(scope.nested(self.depth));
        (Arc::clone(&scope), Delivery::new(metadata, scope))
    }

    /// Whether the filter wants the message; a filter that panics wants it, and the handler will tell.
    pub(super) fn is_wanted_by(&self, entry: &HandlerEntry) -> bool {
        let Some(filter) = entry.when else { return true };
        catch_unwind(AssertUnwindSafe(|| filter(&self.arrival.metadata))).unwrap_or(true)
    }

    /// Tells the sender of a command what became of it.
    pub(super) async fn answer(&self, answer: &Answer) {
        let Some(reply) = command::reply(&self.arrival.metadata.envelope, answer) else { return };
        // Whoever asked may be gone; nobody else wants the reply.
        if let Err(error) = self.hub.send(Arc::new(reply)).await {
            tracing::warn!(%error, "the reply to a command is lost");
        }
    }

    /// Runs the handlers of a message that is acknowledged already. Says what became of it, and which of them go on.
    async fn run_unacknowledged(&self, calls: Vec<Called>) -> (Fate, Vec<Stuck>) {
        let (mut fate, mut stuck) = (Fate::Handled, Vec::new());
        let all = run_calls(&self.hub, &self.arrival, calls).await;
        let Some(all) = all else { return (Fate::Dead, stuck) };
        for judged in all {
            failures::tell(self, &judged);
            stuck.extend(judged.stuck);
            if judged.entry.is_command() {
                self.answer(&command::answer(&judged.outcome)).await;
            }
            match judged.outcome {
                Outcome::Done(_) | Outcome::Ack => judged.counters.handled.add_one(),
                outcome => {
                    fate = Fate::Dead;
                    judged.counters.discarded.add_one();
                    tracing::error!(handler = %judged.entry.name, ?outcome, "failed after the message was acknowledged");
                }
            }
        }
        (fate, stuck)
    }

    fn unknown(&self) -> Outcome {
        let metadata = &self.arrival.metadata;
        let text = format!(
            "no handler of queue `{}` is for `{}` on exchange `{}`{}",
            self.queue.name,
            metadata.routing_key(),
            metadata.exchange(),
            metadata.message_type().map(|name| format!(" of type `{name}`")).unwrap_or_default(),
        );
        Outcome::DeadLetter(DeadLetterReason::UnknownType, text)
    }
}

/// Runs the handlers: strictly one priority after the other, side by side inside one. `None` when the connection was lost
/// while something that a handler published was sent: the message must be handled again, and no attempt is counted.
async fn run_calls(hub: &Arc<Hub>, arrival: &Arrival, calls: Vec<Called>) -> Option<Vec<Judged>> {
    let mut judged = Vec::with_capacity(calls.len());
    let mut calls = calls.into_iter().peekable();
    while let Some(first) = calls.next() {
        let priority = first.priority();
        if calls.peek().is_none_or(|next| next.priority() != priority) {
            match first {
                Called::Function(call) => judged.push(run_call(hub, arrival, call).await?),
                several => judged.extend(several.run(hub, arrival).await?),
            }
            continue;
        }
        let mut tier = vec![first];
        while let Some(next) = calls.next_if(|next| next.priority() == priority) {
            tier.push(next);
        }
        for result in join_all(tier.into_iter().map(|called| called.run(hub, arrival))).await {
            judged.extend(result?);
        }
    }
    Some(judged)
}

/// Calls a handler whose layers others use too.
async fn call_when_ready(stack: Arc<Mutex<Stack>>, delivery: Delivery) -> Result<Outcome, BoxError> {
    let called = {
        let mut stack = stack.lock().await;
        stack.ready().await;
        stack.call(delivery)
    };
    called.await
}

impl Called {
    /// The handler, and what it has done so far.
    fn parts(&self) -> (&Arc<HandlerEntry>, &Arc<Counters>) {
        match self {
            Self::Function(Call { entry, counters, .. })
            | Self::Method(InstanceCalls { entry, counters, .. }) => (entry, counters),
        }
    }

    fn priority(&self) -> i32 {
        self.parts().0.priority
    }

    pub(super) async fn run(self, hub: &Arc<Hub>, arrival: &Arrival) -> Option<Vec<Judged>> {
        match self {
            Self::Function(call) => run_call(hub, arrival, call).await.map(|judged| vec![judged]),
            Self::Method(calls) => calls.run(hub, arrival).await,
        }
    }
}

/// Runs one handler and sends what it has published. `None` as for [`run_calls`].
pub(super) async fn run_call(hub: &Arc<Hub>, arrival: &Arrival, call: Call) -> Option<Judged> {
    let permission = hub.idempotency.permission(&call.entry, call.instance.as_deref(), &arrival.metadata);
    let refused = match permission.await {
        Permission::Free => return run_permitted(hub, arrival, call).await,
        Permission::Claimed(claimed) => {
            let judged = run_permitted(hub, arrival, call).await;
            match &judged {
                Some(judged) if judged.outcome.is_success() => claimed.complete().await,
                _ => claimed.release().await,
            }
            return judged;
        }
        Permission::Busy => return None,
        Permission::Duplicate => {
            call.counters.duplicates.add_one();
            Outcome::Discard
        }
        Permission::Failed(error) => Outcome::Failed(error),
    };
    let Call { entry, counters, instance, .. } = call;
    Some(judge(
        arrival,
        Judged { entry, counters, outcome: refused, instance, acknowledged: false, stuck: None },
    ))
}

/// Runs one handler, whose message is no duplicate.
async fn run_permitted(hub: &Arc<Hub>, arrival: &Arrival, call: Call) -> Option<Judged> {
    let Call { entry, counters, scope, future, instance } = call;
    counters.called.add_one();
    let span = tracing::info_span!(
        "consume",
        handler = %entry.name,
        instance,
        message_id = arrival.metadata.message_id(),
        routing_key = %arrival.metadata.routing_key(),
        attempt = arrival.metadata.attempt(),
    );
    let guarded = AssertUnwindSafe(CURRENT.scope(Arc::clone(&scope), future)).catch_unwind();
    let mut outcome = match guarded.instrument(span).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => judged(Outcome::Failed(HandlerError::new(error))),
        Err(panic) => Outcome::Failed(panicked(panic.as_ref())),
    };
    if scope.is_interrupted() {
        return None;
    }
    let stuck = scope.goes_on().map(|returned| Stuck::new(&entry, &counters, returned));
    let Closed { drafts, sent, acknowledged } = scope.close();
    counters.published.add(sent);
    outcome = explicit(&entry, outcome, acknowledged);
    if outcome.is_success() && !drafts.is_empty() {
        let sends = drafts.into_iter().map(|draft| hub.send_draft(draft));
        for sent in join_all(sends).await {
            match sent {
                Ok(()) => counters.published.add(1),
                Err(error) if error.kind().is_interruption() && !acknowledged => {
                    tracing::warn!(handler = %entry.name, %error, "what the handler published is not confirmed; it will be called again");
                    return None;
                }
                Err(error) => outcome = Outcome::Failed(HandlerError::new(error)),
            }
        }
    }
    Some(judge(arrival, Judged { entry, counters, outcome, instance, acknowledged, stuck }))
}

/// With `ack = "manual"` a handler says what becomes of the message. One that says nothing has failed: its message is neither
/// lost nor kept for ever.
fn explicit(entry: &HandlerEntry, outcome: Outcome, acknowledged: bool) -> Outcome {
    match outcome {
        Outcome::Done(None) if entry.ack == AckMode::Manual && !acknowledged => Outcome::Failed(
            HandlerError::new("the handler has ended without acknowledging the message (ack = \"manual\")"),
        ),
        outcome => outcome,
    }
}

/// Tells whoever wants to know what became of a call: hook and log.
pub(super) fn judge(arrival: &Arrival, judged: Judged) -> Judged {
    report(&judged, arrival);
    let changed = judged.counters.breaker.note(&judged.outcome, crate::seam::now());
    report_breaker(&judged.entry, changed);
    judged
}

fn report_breaker(entry: &HandlerEntry, changed: Option<BreakerState>) {
    match changed {
        Some(BreakerState::Open) => {
            tracing::warn!(handler = %entry.name, queue = %entry.queue, "the breaker is open: the queue rests, its messages stay in the broker");
        }
        Some(BreakerState::Closed) => {
            tracing::info!(handler = %entry.name, queue = %entry.queue, "the breaker is closed: the handler works again");
        }
        Some(BreakerState::HalfOpen) | None => {}
    }
}

/// Tells the error hook and the log about a failed attempt.
fn report(judged: &Judged, arrival: &Arrival) {
    let Judged { entry, counters, outcome, instance, acknowledged: _, stuck: _ } = judged;
    let Outcome::Failed(error) = outcome else { return };
    counters.failed.add_one();
    tracing::warn!(
        code = "BUS0202",
        handler = %entry.name,
        instance,
        message_id = arrival.metadata.message_id(),
        attempt = arrival.metadata.attempt(),
        of = entry.retry.max + 1,
        error = %error.chain(),
        "the handler failed"
    );
    let Some(hook) = entry.error_hook else { return };
    if catch_unwind(AssertUnwindSafe(|| hook(error, &arrival.metadata))).is_err() {
        tracing::error!(handler = %entry.name, "the error hook panicked");
    }
}
