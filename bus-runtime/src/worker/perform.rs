//! Carrying out what was decided: copies are published and confirmed, and only then the original is acknowledged.

use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::call::Judged;
use super::failures;
use super::fate::Fate;
use super::job::Case;
use crate::arrival::Arrival;
use crate::command::{Answer, CommandFailure, answer};
use crate::copies::{self, Failure};
use crate::counters::Counters;
use crate::due;
use crate::envelope::{Envelope, header};
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::observe::spans;
use crate::outcome::{DeadLetterReason, Outcome};
use crate::policy::JITTER_BUCKETS;
use crate::seam;
use crate::settle::{Circumstances, Settlement, after_ack, of_command, settlement, superseded};
use crate::settling::ComesBack;
use crate::topology::HandlerEntry;
use crate::transport::Confirmation;

/// How long a copy that the broker does not take waits before it is offered again: at first, and at most.
pub(super) const OFFER_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What became of the copies.
pub(super) enum Performed {
    /// All are confirmed.
    Done,
    /// One can never be published: the broker's own dead-lettering must take the original.
    Refused,
}

/// Counts the calls of a message that all have succeeded, when nobody waits for an answer: then nothing is to be decided.
pub(super) fn count_if_handled(case: &Case, judged: &[Judged]) -> bool {
    let is_handled = |judged: &Judged| judged.outcome.is_success() && !judged.entry.is_command();
    let all = judged.iter().all(is_handled);
    if all {
        for judged in judged {
            spans::settled(&judged.span, &Settlement::Ack);
            keep(case, judged, &Settlement::Ack);
            judged.counters.handled.add_one();
        }
    }
    all
}

/// What was decided for each handler of a message.
pub(super) struct Verdicts(Vec<(Judged, Settlement)>);

impl Verdicts {
    /// Decides for each handler on its own: its attempts, its policy.
    pub(super) fn of(case: &Case, judged: Vec<Judged>) -> Self {
        let now = LazyCell::new(|| Circumstances {
            attempt: case.arrival.metadata.attempt(),
            requeues: case.arrival.requeues,
            since_first_failure: copies::since(case.arrival.first_failed_at, seam::wall_clock()),
            lot: match case.hub.witness() {
                // A test sees the same delays on each run.
                Some(_) => 0,
                None => seam::random_below(JITTER_BUCKETS),
            },
        });
        judged.iter().for_each(|judged| failures::tell(case, judged));
        let decide = |judged: Judged| {
            let entry = &judged.entry;
            if judged.outcome.is_success() {
                return (judged, Settlement::Ack);
            }
            if judged.acknowledged {
                let settlement = after_ack(&judged.outcome);
                return (judged, settlement);
            }
            let mut settlement = settlement(&judged.outcome, &entry.retry, entry.on_error, *now);
            if entry.is_command() {
                settlement = of_command(&judged.outcome, settlement, entry.on_error);
            }
            if case.queue.session.is_some() {
                settlement = of_session(&judged, settlement);
            }
            (judged, settlement)
        };
        Self(judged.into_iter().map(decide).collect()).united()
    }

    /// Leaves out what another instance of the same handler asks for too.
    fn united(self) -> Self {
        let Self(verdicts) = self;
        if verdicts.len() < 2 {
            return Self(verdicts);
        }
        let of_one_handler = verdicts.chunk_by(|(one, _), (other, _)| Arc::ptr_eq(&one.entry, &other.entry));
        let superseded: Vec<bool> = of_one_handler
            .flat_map(|verdicts| superseded(&verdicts.iter().map(of_instance).collect::<Vec<_>>()))
            .collect();
        let kept = verdicts.into_iter().zip(superseded).filter(|(_, superseded)| !superseded);
        Self(kept.map(|(verdict, _)| verdict).collect())
    }

    /// How a message comes back that is to be handled again: after which delay, as which attempt, how often put back. `None`
    /// when it is done with.
    pub(super) fn again(&self, case: &Case) -> Option<(Duration, u32, u32)> {
        let Arrival { metadata, requeues, .. } = &case.arrival;
        self.0.iter().find_map(|(_, settlement)| match settlement {
            Settlement::Retry { delay, attempt, .. } => Some((*delay, *attempt, *requeues)),
            Settlement::Requeue { requeues, .. } => Some((Duration::ZERO, metadata.attempt(), *requeues)),
            Settlement::Ack | Settlement::Discard | Settlement::DeadLetter { .. } => None,
        })
    }

    /// What the sender of a command is told that is done with.
    pub(super) fn answer(&self) -> Answer {
        self.0.first().map_or_else(|| Err(CommandFailure::filtered()), |(judged, _)| answer(&judged.outcome))
    }

    /// Counts what was decided, where no copy is published for it.
    pub(super) fn count(&self, case: &Case) {
        for (judged, settlement) in &self.0 {
            count(&judged.counters, &judged.outcome, settlement);
            keep(case, judged, settlement);
        }
    }

    /// Whether somebody must be given a copy of the message.
    pub(super) fn need_copies(&self) -> bool {
        let needs_none =
            |settlement: &Settlement| matches!(settlement, Settlement::Ack | Settlement::Discard);
        !self.0.iter().all(|(_, settlement)| needs_none(settlement))
    }

    /// What comes back of the message: for whom, and after how long.
    pub(super) fn come_back(&self, case: &Case) -> Vec<ComesBack> {
        let shared = case.queue.members.len() > 1;
        let mut all = Vec::new();
        for (judged, settlement) in &self.0 {
            let delay = match settlement {
                Settlement::Retry { delay, .. } => *delay,
                Settlement::Requeue { .. } => Duration::ZERO,
                Settlement::Ack | Settlement::Discard | Settlement::DeadLetter { .. } => continue,
            };
            all.push((shared.then(|| judged.entry.name.clone()), judged.instance.clone(), delay));
        }
        all
    }

    /// What they mean for the message as a whole.
    pub(super) fn fate(&self) -> Fate {
        let settlements = || self.0.iter().map(|(_, settlement)| settlement);
        if settlements().any(|one| matches!(one, Settlement::DeadLetter { .. })) {
            Fate::Dead
        } else if settlements()
            .any(|one| matches!(one, Settlement::Retry { .. } | Settlement::Requeue { .. }))
        {
            Fate::Open
        } else {
            Fate::Handled
        }
    }

    /// Publishes the copies that the settlements need, and answers a command that is not handled again.
    ///
    /// # Cancel safety
    /// When it is dropped, the original is not settled: it will be handled again, although a copy may have been published.
    pub(super) async fn perform(self, case: &Case) -> Performed {
        for (judged, settlement) in self.0 {
            let span = judged.span.clone();
            spans::settled(&span, &settlement);
            if let Performed::Refused = carry_out(case, judged, settlement).instrument(span).await {
                return Performed::Refused;
            }
        }
        Performed::Done
    }
}

/// The queue of a session ends with it, and so do its messages: nobody would look at dead letters.
fn of_session(judged: &Judged, settlement: Settlement) -> Settlement {
    let Settlement::DeadLetter { reason, error, .. } = settlement else { return settlement };
    tracing::error!(handler = %judged.entry.name, %reason, error, "a handler of a session gave a message up; it is gone");
    Settlement::Discard
}

/// Carries out what was decided for one handler.
async fn carry_out(case: &Case, judged: Judged, settlement: Settlement) -> Performed {
    if judged.entry.is_command() && !settlement.is_another_attempt() {
        case.answer(&answer(&judged.outcome)).await;
    }
    let published = match copy(case, &judged, &settlement) {
        Ok(None) => Ok(Offered::Taken),
        Ok(Some(Copy { envelope, wait })) => offer(case, &judged.counters, envelope, wait).await,
        Err(error) => Err(error),
    };
    let offered = match published {
        Ok(offered) => offered,
        Err(error) => {
            tracing::error!(handler = %judged.entry.name, %error, "a copy can't be published; the broker moves the original to the dead letters");
            judged.counters.dead_letter(DeadLetterReason::TooLarge);
            return Performed::Refused;
        }
    };
    count(&judged.counters, &judged.outcome, &settlement);
    keep(case, &judged, &settlement);
    if judged.acknowledged && !judged.outcome.is_success() {
        tracing::error!(handler = %judged.entry.name, outcome = ?judged.outcome, "failed after the message was acknowledged");
    }
    report(case, &judged.entry, &settlement, offered);
    Performed::Done
}

fn of_instance((judged, settlement): &(Judged, Settlement)) -> (Option<&str>, &Settlement) {
    (judged.instance.as_deref(), settlement)
}

/// A copy, and how it waits.
struct Copy {
    envelope: Envelope,
    wait: Wait,
}

/// How a copy waits beside the exchange that it is addressed to.
#[derive(Clone, Copy)]
enum Wait {
    No,
    /// Before it is published, with the original unacknowledged.
    Here(Duration),
    /// On the way to its queue.
    OnLadder(Duration),
}

/// The copy that a settlement needs, addressed.
fn copy(case: &Case, judged: &Judged, settlement: &Settlement) -> Result<Option<Copy>, Error> {
    let Judged { entry, instance, .. } = judged;
    let metadata = &case.arrival.metadata;
    let failure = |error, error_type| Failure {
        handler: &entry.name,
        error,
        error_type,
        first_failed_at: case.arrival.first_failed_at,
        now: seam::wall_clock(),
    };
    let (mut envelope, wait) = match settlement {
        Settlement::Ack | Settlement::Discard => return Ok(None),
        Settlement::Retry { delay, attempt, error, error_type } => {
            let (exchange, wait) = way(case, entry, *delay);
            (copies::retried(metadata, failure(error, error_type), *attempt, exchange)?, wait)
        }
        Settlement::Requeue { requeues, error, error_type } => {
            (copies::requeued(metadata, failure(error, error_type), *requeues)?, Wait::No)
        }
        Settlement::DeadLetter { reason, error, error_type } => {
            let (dead, worker) = (&case.queue.dead, case.hub.worker.as_str());
            (copies::dead(metadata, failure(error, error_type), *reason, dead, worker)?, Wait::No)
        }
    };
    if case.queue.members.len() > 1 {
        envelope.headers.set(header::MEMBER, entry.name.clone());
    }
    if let Some(key) = instance {
        envelope.headers.set(header::INSTANCE, key.clone());
    }
    Ok(Some(Copy { envelope, wait }))
}

/// How a copy waits: in the queue of a constant delay, on the ladder, here in the process, or not at all.
fn way(case: &Case, entry: &HandlerEntry, delay: Duration) -> (Option<String>, Wait) {
    if delay.is_zero() {
        (None, Wait::No)
    } else if case.queue.declaration.exclusive {
        // The queue is gone with this process: a copy that waits on the broker would come back to nobody, for ever.
        (None, Wait::Here(delay))
    } else if entry.retry.delays().contains(&delay) {
        (Some(case.hub.delay_exchange(delay)), Wait::No)
    } else {
        (None, Wait::OnLadder(delay))
    }
}

/// Where a copy is that the broker has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    /// Where it was sent to.
    Taken,
    /// On the ladder: its queue has refused it, and is asked again.
    Waits,
}

/// Publishes a copy. One that its queue refuses waits on the ladder, as the original must not take the place of others; while
/// the broker does not take it there either, it is offered again and again, with the original unacknowledged.
async fn offer(case: &Case, counters: &Counters, envelope: Envelope, wait: Wait) -> Result<Offered, Error> {
    if let Wait::Here(delay) = wait {
        seam::sleep(delay).await;
    }
    let (mut pause, longest) = OFFER_AGAIN;
    let envelope = Arc::new(envelope);
    let mut held_back = None;
    loop {
        let Some(problem) = publish(case, &envelope, wait).await? else { return Ok(Offered::Taken) };
        if problem.is_of_its_queue && may_wait(case, &envelope, wait) {
            let away = due::pause(0);
            if publish(case, &envelope, Wait::OnLadder(away)).await?.is_none() {
                case.hub.refusals.note(&envelope.routing_key, &problem.text, away);
                return Ok(Offered::Waits);
            }
        }
        let held_back = held_back.get_or_insert_with(|| HeldBack::new(counters));
        tracing::error!(
            queue = %case.queue.name,
            held_back = held_back.0.held_back.get(),
            prefetch = case.queue.prefetch,
            to = %format_args!("{}:{}", envelope.exchange, envelope.routing_key),
            problem = problem.text,
            "a copy of a message can't be published yet; the original stays unacknowledged"
        );
        seam::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Why the broker does not take a copy.
struct Problem {
    text: String,
    /// Whether it is the queue that the copy goes to: full, or gone.
    is_of_its_queue: bool,
}

/// Publishes a copy once. An error is one that no repetition mends.
async fn publish(case: &Case, envelope: &Arc<Envelope>, wait: Wait) -> Result<Option<Problem>, Error> {
    let span = spans::publish_copy(&case.hub, envelope, &case.queue.name);
    let sending = async {
        match wait {
            Wait::OnLadder(delay) => case.hub.send_later((**envelope).clone(), delay).await,
            Wait::No | Wait::Here(_) => case.hub.send(Arc::clone(envelope)).await,
        }
    };
    let sent = sending.instrument(span.clone()).await;
    spans::sent(&span, &sent);
    let problem = match sent {
        Ok(Confirmation::Routed) => {
            if let Wait::No | Wait::Here(_) = wait {
                case.hub.refusals.forget(&envelope.routing_key);
            }
            return Ok(None);
        }
        Ok(Confirmation::Unroutable) => {
            Problem { text: "no queue takes it".to_owned(), is_of_its_queue: true }
        }
        Err(error) if matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::InvalidName) => {
            return Err(error);
        }
        Err(error) => Problem { text: error.to_string(), is_of_its_queue: error.kind() == ErrorKind::Nacked },
    };
    Ok(Some(problem))
}

/// Whether a copy that goes straight to its queue may take longer on its way.
fn may_wait(case: &Case, copy: &Envelope, wait: Wait) -> bool {
    let is_for = |queue: &QueueName| copy.exchange.is_default() && copy.routing_key == queue.as_str();
    let straight = !matches!(wait, Wait::OnLadder(_));
    // A queue that is gone with this process must not have copies elsewhere.
    straight && (is_for(&case.queue.dead) || is_for(&case.queue.name) && !case.queue.declaration.exclusive)
}

/// Publishes a message to the dead letters as it is, without its story.
pub(super) async fn bury(case: &Case) -> Result<(), Error> {
    let envelope = copies::readdressed(&case.arrival.metadata.envelope, &case.queue.dead)?;
    offer(case, &Counters::default(), envelope, Wait::No).await.map(|_| ())
}

/// A message that stays unacknowledged because the broker does not take its copy.
struct HeldBack<'a>(&'a Counters);

impl<'a> HeldBack<'a> {
    fn new(counters: &'a Counters) -> Self {
        counters.held_back.add_one();
        Self(counters)
    }
}

impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        self.0.held_back.take_one();
    }
}

fn count(counters: &Counters, outcome: &Outcome, settlement: &Settlement) {
    match settlement {
        Settlement::Ack => counters.handled.add_one(),
        Settlement::Discard if matches!(outcome, Outcome::Discard) => {}
        Settlement::Discard => counters.discarded.add_one(),
        Settlement::Retry { delay, .. } => counters.retry(*delay),
        Settlement::Requeue { .. } => counters.requeued.add_one(),
        Settlement::DeadLetter { reason, .. } => counters.dead_letter(*reason),
    }
}

/// Keeps what became of it, for people who look.
fn keep(case: &Case, judged: &Judged, settlement: &Settlement) {
    let Judged { entry, outcome, instance, took, .. } = judged;
    let metadata = &case.arrival.metadata;
    case.hub.history.note(entry, metadata, (outcome, settlement), *took, instance.as_deref());
}

fn report(case: &Case, entry: &HandlerEntry, settlement: &Settlement, offered: Offered) {
    let metadata = &case.arrival.metadata;
    match settlement {
        Settlement::DeadLetter { reason, error, .. } => tracing::error!(
            handler = %entry.name,
            queue = %case.queue.name,
            message_id = metadata.message_id(),
            attempt = metadata.attempt(),
            %reason,
            error,
            waits_for_room = offered == Offered::Waits,
            "the message is with the dead letters"
        ),
        Settlement::Retry { delay, attempt, .. } => {
            tracing::info!(handler = %entry.name, message_id = metadata.message_id(), next_attempt = attempt, ?delay, "the message will be tried again");
        }
        Settlement::Ack | Settlement::Discard | Settlement::Requeue { .. } => {}
    }
}
