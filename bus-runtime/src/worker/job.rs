//! One message from its arrival to its settlement.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::Span;

use super::call::{Call, Called, Judged, call_when_ready, run_calls};
use super::failures;
use super::fate::{self, Fate};
use super::instances::InstanceCalls;
use super::lanes::{self, Slot};
use super::member::{Calls, Member, SharedCalls};
use super::perform::{self, Performed, Verdicts};
use super::stuck::{self, Stuck};
use crate::arrival::{self, Arrival};
use crate::command::{self, Answer, CommandFailure};
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::hub::Hub;
use crate::observe::spans;
use crate::outcome::{DeadLetterReason, Outcome};
use crate::policy::AckMode;
use crate::right::Right;
use crate::scope::Scope;
use crate::session;
use crate::topology::{HandlerEntry, QueueEntry};
use crate::transport::{BoxFuture, Incoming, Verdict};

/// One message on its way through the handlers of its queue.
pub(super) struct Job {
    case: Case,
    calls: Vec<Called>,
    /// Why it is settled without any call.
    refused: Option<Refused>,
    /// Those of the first handler of the queue, for what no handler is called for.
    first: Arc<Counters>,
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

impl Job {
    /// Finds the handlers that the message is for. Their futures do nothing until they are polled.
    pub(super) fn new(
        hub: &Arc<Hub>,
        queue: &Arc<QueueEntry>,
        members: &mut [Member],
        incoming: Incoming,
    ) -> Self {
        let Incoming { envelope, redelivered, delivery_count: _, defect, settler } = incoming;
        let mut arrival = Arrival::of(envelope, &queue.name, redelivered);
        if hub.address.host.is_some() {
            arrival.delivery_tag = i64::try_from(settler.tag()).ok();
        }
        let right = Arc::new(Right::new(settler));
        let case = Case { hub: Arc::clone(hub), queue: Arc::clone(queue), arrival, right, depth: 0 };
        let first = members.first().map(|member| Arc::clone(&member.counters)).unwrap_or_default();
        let mut job = Self { case, calls: Vec::new(), refused: None, first };
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
        if self.case.queue.concurrency == 1 {
            // Nothing runs beside another message: looking ahead for other keys would only break the order of the queue.
            return Some(String::new());
        }
        lanes::key_of(&self.case.queue, &self.case.arrival)
    }

    /// Runs the handlers and settles the message. The slot is free as soon as the handlers have ended.
    pub(super) async fn run(mut self, slot: Slot) {
        let sessions = &self.case.hub.sessions;
        if self.case.queue.session.is_some() {
            if session::is_last(&self.case.arrival) {
                sessions.has_come_to_its_end(&self.case.queue.name);
                return self.case.right.settle(Verdict::Ack);
            }
            sessions.turn(&self.case.hub, &self.case.arrival).await;
        }
        let _passing = sessions.passing(&self.case.queue, &self.case.arrival);
        self.case.hub.settling.begin(&self.case.arrival);
        if let Some(counters) = self.late() {
            counters.expired.add_one();
            self.refused = Some(Refused::Late);
        }
        if let Some(refused) = self.refused.take() {
            drop(slot);
            return Box::pin(self.refuse(refused)).await;
        }
        let calls = std::mem::take(&mut self.calls);
        if self.case.queue.ack == AckMode::OnReceive {
            self.case.settle(Verdict::Ack, &Span::none());
            let (fate, stuck) = Box::pin(self.case.run_unacknowledged(calls)).await;
            stuck::free(slot, stuck);
            return fate::tell(&self.case, fate).await;
        }
        let Some(mut judged) = run_calls(&self.case.hub, &self.case.arrival, calls).await else {
            drop(slot);
            return self.case.settle(Verdict::Requeue, &Span::none());
        };
        stuck::free(slot, judged.iter_mut().filter_map(|judged| judged.stuck.take()).collect());
        self.settle(judged).await;
    }

    /// Settles a message that no handler was called for.
    async fn refuse(self, refused: Refused) {
        let Refused::As(outcome) = refused else {
            self.case.answer(&Err(CommandFailure::expired())).await;
            self.case.settle(Verdict::Ack, &Span::none());
            return fate::tell(&self.case, Fate::Dead).await;
        };
        let Some(first) = self.case.queue.members.first().cloned() else {
            return give_up(&self.case, &Span::none()).await;
        };
        if let Outcome::DeadLetter(DeadLetterReason::TooLarge, _) = outcome {
            if first.is_command() {
                self.case.answer(&command::answer(&outcome)).await;
            }
            // A copy with its story would not fit into a frame.
            give_up(&self.case, &Span::none()).await;
            self.first.dead_letter(DeadLetterReason::TooLarge);
            return fate::tell(&self.case, Fate::Dead).await;
        }
        let instance = self.case.arrival.instance.clone();
        let counters = match &outcome {
            Outcome::DeadLetter(..) => Arc::clone(&self.first),
            // What a filter did not want is counted already.
            _ => Arc::default(),
        };
        let judged = Judged {
            entry: first,
            counters,
            outcome,
            instance,
            acknowledged: false,
            stuck: None,
            span: Span::none(),
            took: None,
        };
        self.settle(vec![judged]).await;
    }

    async fn settle(self, judged: Vec<Judged>) {
        let case = self.case;
        let call = judged.first().map_or_else(Span::none, |judged| judged.span.clone());
        if perform::count_if_handled(&case, &judged) {
            case.settle(Verdict::Ack, &call);
            return fate::tell(&case, Fate::Handled).await;
        }
        let verdicts = Verdicts::of(&case, judged);
        let (decided, comes_back) = (verdicts.fate(), verdicts.come_back(&case));
        let decided = match Box::pin(verdicts.perform(&case)).await {
            Performed::Done => {
                case.settle(Verdict::Ack, &call);
                decided
            }
            Performed::Refused => {
                Box::pin(give_up(&case, &call)).await;
                Fate::Dead
            }
        };
        fate::tell_and_await(&case, decided, comes_back).await;
    }
}

/// Moves a message to the dead letters as it is. The broker itself does it, but for a queue of others, which may have been
/// declared without dead letters.
async fn give_up(case: &Case, call: &Span) {
    if !case.queue.foreign {
        return case.settle(Verdict::Reject, call);
    }
    let verdict = match perform::bury(case).await {
        Ok(()) => Verdict::Ack,
        Err(error) => {
            tracing::error!(queue = %case.queue.name, %error, "a message can be moved to no dead letters; it stays in its queue");
            crate::seam::sleep(perform::OFFER_AGAIN.1).await;
            Verdict::Requeue
        }
    };
    case.settle(verdict, call);
}

impl Case {
    /// Tells the broker what became of the message, after a call if there was one.
    fn settle(&self, verdict: Verdict, call: &Span) {
        let span = match self.queue.members.first() {
            Some(entry) => spans::settle(&self.hub, call, entry, &self.arrival, verdict),
            None => Span::none(),
        };
        span.in_scope(|| self.right.settle(verdict));
    }

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
