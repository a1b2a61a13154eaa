//! One message from its arrival to its settlement.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tracing::Instrument;

use super::answer::{answer, is_command};
use super::fate::{self, Fate};
use super::instances::InstanceCalls;
use super::lanes::{self, Slot};
use super::member::{Calls, Member, Stack};
use super::perform::{self, Performed, Verdicts};
use super::stuck::{self, Stuck};
use crate::arrival::{self, Arrival};
use crate::breaker::BreakerState;
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::error::{BoxError, ErrorKind};
use crate::hub::Hub;
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
    right: Arc<Right>,
    calls: Vec<Called>,
    /// Why it is settled without any call.
    refused: Option<Outcome>,
}

/// A message and where it is: what its settlement depends on beside the outcomes.
pub(super) struct Case {
    pub(super) hub: Arc<Hub>,
    pub(super) queue: Arc<QueueEntry>,
    pub(super) arrival: Arrival,
}

/// One handler that the message is for.
enum Called {
    Function(Call),
    Waiting(WaitingCall),
    Method(InstanceCalls),
}

/// A call whose layers are asked when its turn has come.
struct WaitingCall {
    entry: Arc<HandlerEntry>,
    counters: Arc<Counters>,
    stack: Arc<tokio::sync::Mutex<Stack>>,
    right: Arc<Right>,
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
        let case = Case { hub: Arc::clone(hub), queue: Arc::clone(queue), arrival };
        let right = Arc::new(Right::new(settler));
        let mut job = Self { case, right, calls: Vec::new(), refused: None };
        if arrival::size(job.case.arrival.metadata.headers()) > arrival::HEADERS_MAX {
            job.refused =
                Some(Outcome::DeadLetter(DeadLetterReason::TooLarge, "the headers are too large".into()));
            return job;
        }
        if let Some(defect) = defect {
            job.refused = Some(Outcome::DeadLetter(DeadLetterReason::Malformed, defect));
            return job;
        }
        job.find_calls(members);
        job
    }

    /// The handler that it is for; the first of several.
    pub(super) fn handler(&self) -> Option<Arc<HandlerEntry>> {
        self.calls.first().map(|called| Arc::clone(called.entry()))
    }

    fn find_calls(&mut self, members: &mut [Member]) {
        let mut filtered = false;
        for member in members {
            if !self.case.is_for(&member.entry) {
                continue;
            }
            if !wanted(&member.entry, &self.case.arrival) {
                member.counters.filtered.add_one();
                filtered = true;
                continue;
            }
            self.right.needed_by(1);
            self.calls.push(self.case.call(member, &self.right));
        }
        if self.calls.is_empty() {
            self.refused = Some(if filtered { Outcome::Discard } else { self.case.unknown() });
        }
    }

    /// What it has in common with the messages that it must not overtake.
    pub(super) fn key(&self) -> Option<String> {
        lanes::key_of(&self.case.queue, &self.case.arrival)
    }

    /// Runs the handlers and settles the message. The slot is free as soon as the handlers have ended.
    pub(super) async fn run(mut self, slot: Slot) {
        if let Some(outcome) = self.refused.take() {
            drop(slot);
            return self.refuse(outcome).await;
        }
        let calls = std::mem::take(&mut self.calls);
        let Case { hub, queue, arrival } = &self.case;
        if queue.ack == AckMode::OnReceive {
            self.right.settle(Verdict::Ack);
            let (fate, stuck) = run_unacknowledged(hub, arrival, calls).await;
            stuck::free(slot, stuck);
            return fate::tell(&self.case, fate).await;
        }
        let Some(mut judged) = run_calls(hub, arrival, calls).await else {
            drop(slot);
            return self.right.settle(Verdict::Requeue);
        };
        stuck::free(slot, judged.iter_mut().filter_map(|judged| judged.stuck.take()).collect());
        self.settle(judged).await;
    }

    /// Settles a message that no handler was called for.
    async fn refuse(self, outcome: Outcome) {
        if let Outcome::DeadLetter(DeadLetterReason::TooLarge, _) = outcome {
            // A copy with its story would not fit into a frame.
            give_up(&self.case, self.right).await;
            return fate::tell(&self.case, Fate::Dead).await;
        }
        let Some(first) = self.case.queue.members.first() else {
            return give_up(&self.case, self.right).await;
        };
        let instance = self.case.arrival.instance.clone();
        let judged = Judged {
            entry: Arc::clone(first),
            counters: Arc::default(),
            outcome,
            instance,
            acknowledged: false,
            stuck: None,
        };
        self.settle(vec![judged]).await;
    }

    async fn settle(self, judged: Vec<Judged>) {
        let Self { case, right, .. } = self;
        let verdicts = Verdicts::of(&case, judged);
        let decided = verdicts.fate();
        let decided = match verdicts.perform(&case).await {
            Performed::Done => {
                right.settle(Verdict::Ack);
                decided
            }
            Performed::Refused => {
                give_up(&case, right).await;
                Fate::Dead
            }
        };
        fate::tell(&case, decided).await;
    }
}

/// Moves a message to the dead letters as it is. The broker itself does it, but for a queue of others, which may have been
/// declared without dead letters.
async fn give_up(case: &Case, right: Arc<Right>) {
    if !case.queue.foreign {
        return right.settle(Verdict::Reject);
    }
    let verdict = match perform::bury(case).await {
        Ok(()) => Verdict::Ack,
        Err(error) => {
            tracing::error!(queue = %case.queue.name, %error, "a message can be moved to no dead letters; it stays in its queue");
            crate::seam::sleep(perform::OFFER_AGAIN.1).await;
            Verdict::Requeue
        }
    };
    right.settle(verdict);
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

    fn call(&self, member: &mut Member, right: &Arc<Right>) -> Called {
        let right = Arc::clone(right);
        let (entry, counters) = (Arc::clone(&member.entry), Arc::clone(&member.counters));
        match &mut member.calls {
            Calls::Function(stack) => {
                Called::Function(Call::new(&self.hub, &self.arrival, entry, counters, stack, right))
            }
            Calls::InTurn(stack) => {
                Called::Waiting(WaitingCall { entry, counters, stack: Arc::clone(stack), right })
            }
            Calls::Method(finder, stack) => {
                let (finder, stack) = (*finder, Arc::clone(stack));
                Called::Method(InstanceCalls { entry, counters, finder, stack, right })
            }
        }
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

/// Whether the filter wants the message; a filter that panics wants it, and the handler will tell.
fn wanted(entry: &HandlerEntry, arrival: &Arrival) -> bool {
    let Some(filter) = entry.when else { return true };
    catch_unwind(AssertUnwindSafe(|| filter(&arrival.metadata))).unwrap_or(true)
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

impl Called {
    fn entry(&self) -> &Arc<HandlerEntry> {
        match self {
            Self::Function(Call { entry, .. })
            | Self::Waiting(WaitingCall { entry, .. })
            | Self::Method(InstanceCalls { entry, .. }) => entry,
        }
    }

    fn priority(&self) -> i32 {
        self.entry().priority
    }

    async fn run(self, hub: &Arc<Hub>, arrival: &Arrival) -> Option<Vec<Judged>> {
        match self {
            Self::Function(call) => run_call(hub, arrival, call).await.map(|judged| vec![judged]),
            Self::Waiting(WaitingCall { entry, counters, stack, right }) => {
                let call = {
                    let mut stack = stack.lock().await;
                    stack.ready().await;
                    Call::new(hub, arrival, entry, counters, &mut stack, right)
                };
                run_call(hub, arrival, call).await.map(|judged| vec![judged])
            }
            Self::Method(calls) => calls.run(hub, arrival).await,
        }
    }
}

impl Call {
    /// Calls a function through its layers, which must be ready.
    fn new(
        hub: &Arc<Hub>,
        arrival: &Arrival,
        entry: Arc<HandlerEntry>,
        counters: Arc<Counters>,
        stack: &mut Stack,
        right: Arc<Right>,
    ) -> Self {
        let metadata = arrival.metadata.clone();
        let scope = Arc::new(Scope::new(Arc::clone(hub), Arc::clone(&entry), metadata.clone(), right));
        let future = stack.call(Delivery::new(metadata, Arc::clone(&scope)));
        Self { entry, counters, scope, future, instance: None }
    }
}

/// Runs the handlers of a message that is acknowledged already. Says what became of it, and which of them go on.
async fn run_unacknowledged(hub: &Arc<Hub>, arrival: &Arrival, calls: Vec<Called>) -> (Fate, Vec<Stuck>) {
    let (mut fate, mut stuck) = (Fate::Handled, Vec::new());
    let Some(all) = run_calls(hub, arrival, calls).await else { return (Fate::Dead, stuck) };
    for judged in all {
        stuck.extend(judged.stuck);
        if is_command(&judged.entry) {
            answer(hub, arrival, &judged.outcome).await;
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

/// Runs one handler and sends what it has published. `None` as for [`run_calls`].
pub(super) async fn run_call(hub: &Arc<Hub>, arrival: &Arrival, call: Call) -> Option<Judged> {
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
    let stuck = scope.goes_on().map(|returned| Stuck::new(&entry, &counters, returned));
    let Closed { drafts, sent, acknowledged } = scope.close();
    counters.published.add(sent);
    outcome = explicit(&entry, outcome, acknowledged);
    if outcome.is_success() && !drafts.is_empty() {
        let sends = drafts.into_iter().map(|draft| hub.send_draft(draft));
        for sent in join_all(sends).await {
            match sent {
                Ok(()) => counters.published.add(1),
                Err(error) if is_interruption(error.kind()) && !acknowledged => {
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

/// A lost connection says nothing about the message: it does not count as an attempt.
fn is_interruption(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Disconnected | ErrorKind::TimedOut | ErrorKind::Closed)
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
