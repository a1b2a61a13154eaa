//! The calls of one message's handlers, and what each of them made of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tracing::{Instrument, Span};

use super::commands;
use super::instances::InstanceCalls;
use super::member::Stack;
use super::stuck::Stuck;
use crate::arrival::Arrival;
use crate::blocking;
use crate::breaker::BreakerState;
use crate::counters::{Counters, Ending};
use crate::delivery::Delivery;
use crate::envelope::header;
use crate::error::BoxError;
use crate::hub::Hub;
use crate::idempotency::Permission;
use crate::middleware::panicked;
use crate::observe::spans;
use crate::outcome::{HandlerError, Outcome};
use crate::policy::AckMode;
use crate::registration::judged;
use crate::scope::{CURRENT, Closed, Scope};
use crate::topology::HandlerEntry;
use crate::transport::BoxFuture;

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
    /// The span of the call; none when there was no call.
    pub(super) span: Span,
    /// How long the call took; nothing when there was none, or nobody wants to know.
    pub(super) took: Option<Duration>,
}

/// Runs the handlers: strictly one priority after the other, side by side inside one. `None` when the connection was lost
/// while something that a handler published was sent: the message must be handled again, and no attempt is counted.
pub(super) async fn run_calls(hub: &Arc<Hub>, arrival: &Arrival, calls: Vec<Called>) -> Option<Vec<Judged>> {
    let mut judged = Vec::with_capacity(calls.len());
    let mut calls = calls.into_iter().peekable();
    while let Some(first) = calls.next() {
        let priority = first.priority();
        if calls.peek().is_none_or(|next| next.priority() != priority) {
            match first {
                Called::Function(call) => judged.push(run_call(hub, arrival, call).await?),
                several => judged.extend(Box::pin(several.run(hub, arrival)).await?),
            }
            continue;
        }
        let mut tier = vec![first];
        while let Some(next) = calls.next_if(|next| next.priority() == priority) {
            tier.push(next);
        }
        let tier = tier.into_iter().map(|called| called.run(hub, arrival));
        for result in Box::pin(join_all(tier)).await {
            judged.extend(result?);
        }
    }
    Some(judged)
}

/// Calls a handler whose layers others use too.
pub(super) async fn call_when_ready(
    stack: Arc<Mutex<Stack>>,
    delivery: Delivery,
) -> Result<Outcome, BoxError> {
    let called = {
        let mut stack = stack.lock().await;
        stack.ready().await;
        stack.call(delivery)
    };
    called.await
}

impl Called {
    /// The handler, and what it has done so far.
    pub(super) fn parts(&self) -> (&Arc<HandlerEntry>, &Arc<Counters>) {
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
    match arrival.metadata.headers().get(header::IDEMPOTENCY_KEY) {
        None => run_seen(hub, arrival, call).await,
        Some(_) => Box::pin(run_once(hub, arrival, call)).await,
    }
}

/// Runs one handler, unless it has handled a message with the same key.
async fn run_once(hub: &Arc<Hub>, arrival: &Arrival, call: Call) -> Option<Judged> {
    let permission = hub.idempotency.permission(&call.entry, call.instance.as_deref(), &arrival.metadata);
    let refused = match permission.await {
        Permission::Free => return run_seen(hub, arrival, call).await,
        Permission::Claimed(claimed) => {
            let judged = run_seen(hub, arrival, call).await;
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
        Judged {
            entry,
            counters,
            outcome: refused,
            instance,
            acknowledged: false,
            stuck: None,
            span: Span::none(),
            took: None,
        },
    ))
}

/// Runs one handler, whose message is no duplicate, before the eyes of a test if there is one.
async fn run_seen(hub: &Arc<Hub>, arrival: &Arrival, call: Call) -> Option<Judged> {
    let seen = hub.witness().map(|witness| {
        let number = witness.called(&call.entry, &arrival.metadata, call.instance.as_deref());
        (witness, number)
    });
    let judged = run_permitted(hub, arrival, call).await;
    if let Some((witness, number)) = seen {
        witness.ended(number, judged.as_ref().map(|judged| &judged.outcome));
    }
    judged
}

/// Runs one handler.
async fn run_permitted(hub: &Arc<Hub>, arrival: &Arrival, call: Call) -> Option<Judged> {
    let Call { entry, counters, scope, future, instance } = call;
    counters.called.add_one();
    let in_flight = counters.in_flight.enter();
    let watch = hub.meters.watch();
    counters.begin(arrival, watch);
    let began = hub.history.is_kept().then(crate::seam::now);
    let span = spans::consume(hub, &entry, arrival, instance.as_deref());
    let told = commands::begin(hub, &entry, arrival);
    let call = blocking::polled(&counters, CURRENT.scope(Arc::clone(&scope), future));
    let guarded = AssertUnwindSafe(call).catch_unwind();
    let mut outcome = match guarded.instrument(span.clone()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => judged(Outcome::Failed(HandlerError::new(error))),
        Err(panic) => Outcome::Failed(panicked(panic.as_ref())),
    };
    drop(in_flight);
    if scope.is_interrupted() {
        return None;
    }
    counters.end(&outcome, arrival, watch, &span);
    let took = began.map(|began| began.elapsed());
    let stuck = scope.goes_on().map(|returned| Stuck::new(&entry, &counters, returned));
    let Closed { drafts, sent, acknowledged } = scope.close();
    counters.published.add(sent);
    outcome = explicit(&entry, outcome, acknowledged);
    if outcome.is_success() && !drafts.is_empty() {
        let sends = drafts.into_iter().map(|draft| hub.send_draft(draft));
        for sent in Box::pin(join_all(sends)).instrument(span.clone()).await {
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
    spans::judged(&span, &outcome);
    let judged = Judged { entry, counters, outcome, instance, acknowledged, stuck, span: span.clone(), took };
    let judged = span.in_scope(|| judge(arrival, judged));
    if let Some(told) = told {
        told.end(hub, &judged, arrival);
    }
    Some(judged)
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
    let now = crate::seam::now();
    judged.counters.ended(Ending::of(&judged.outcome));
    if judged.outcome.is_success() {
        judged.counters.last_handled.set(crate::seam::wall_clock_at(now));
    }
    let changed = judged.counters.breaker.note(&judged.outcome, now);
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
    let Judged { entry, counters, outcome, instance, acknowledged: _, stuck: _, span: _, took: _ } = judged;
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
