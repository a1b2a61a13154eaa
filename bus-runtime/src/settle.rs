//! From what a handler decided to what the broker is told. Pure: the same outcome and attempt give the same settlement.

use std::collections::HashMap;
use std::time::Duration;

use crate::outcome::{DeadLetterReason, Disposition, HandlerError, Outcome};
use crate::policy::{OnError, RetryPolicy};

/// How often a message may be requeued by its handler before that counts as a failure: the delivery limit of our queues.
pub(crate) const REQUEUES_MAX: u32 = crate::topology::plan::DELIVERY_LIMIT;

/// What becomes of a message, for one handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Settlement {
    /// It is done.
    Ack,
    /// It is forgotten although it was not handled.
    Discard,
    /// A copy waits for its next attempt.
    Retry { delay: Duration, attempt: u32, error: String, error_type: &'static str },
    /// A copy goes to the end of the queue.
    Requeue { requeues: u32, error: String, error_type: &'static str },
    /// A copy goes to the dead letters.
    DeadLetter { reason: DeadLetterReason, error: String, error_type: &'static str },
}

/// What a settlement depends on beside the outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// The number of this attempt, from 1.
    pub(crate) attempt: u32,
    /// How often the handler has put the message back.
    pub(crate) requeues: u32,
    /// How long ago the first attempt failed; zero at the first.
    pub(crate) since_first_failure: Duration,
    /// The lot that decides the jitter, below [`JITTER_BUCKETS`](crate::policy::JITTER_BUCKETS).
    pub(crate) lot: u32,
}

/// Decides what becomes of a message.
pub(crate) fn settlement(
    outcome: &Outcome,
    policy: &RetryPolicy,
    on_error: OnError,
    now: Circumstances,
) -> Settlement {
    match outcome {
        Outcome::Done(_) | Outcome::Ack => Settlement::Ack,
        Outcome::Discard => Settlement::Discard,
        Outcome::Requeue => requeue(now, "the handler put the message back", "requeue"),
        Outcome::Retry(delay) => retry(*delay, policy, now, "the handler asked for another attempt", "retry"),
        Outcome::DeadLetter(reason, text) => {
            Settlement::DeadLetter { reason: *reason, error: text.clone(), error_type: reason.as_str() }
        }
        Outcome::Failed(error) => failed(error, policy, on_error, now),
    }
}

/// Decides what is left to do for a handler that has acknowledged the message itself: nothing, but to count.
pub(crate) fn after_ack(outcome: &Outcome) -> Settlement {
    if outcome.is_success() { Settlement::Ack } else { Settlement::Discard }
}

/// Decides what becomes of a command. Its error is an answer, so a failure that is final is done with the answer; a dead letter
/// is left where the handler or its options ask for one.
pub(crate) fn of_command(outcome: &Outcome, settlement: Settlement, on_error: OnError) -> Settlement {
    if matches!(outcome, Outcome::Failed(error) if matches!(error.disposition(), Some(Disposition::Pause(_))))
    {
        // Whoever waits for the answer has not so much time.
        return Settlement::Discard;
    }
    match (settlement, on_error) {
        (dead @ Settlement::DeadLetter { .. }, OnError::DeadLetter) => dead,
        (Settlement::DeadLetter { reason: DeadLetterReason::Failed, .. }, _) => Settlement::Discard,
        (settlement, _) => settlement,
    }
}

impl Settlement {
    /// Whether the message will be handled again.
    pub(crate) fn is_another_attempt(&self) -> bool {
        match self {
            Self::Retry { .. } | Self::Requeue { .. } => true,
            Self::Ack | Self::Discard | Self::DeadLetter { .. } => false,
        }
    }
}

/// Which of the settlements for the instances of one handler publish no copy, because that of another one serves for both:
/// two instances with one key cannot be told apart, and a message that is to be handled again as a whole, for an instance
/// without key, comes back to all of them.
pub(crate) fn superseded(settlements: &[(Option<&str>, &Settlement)]) -> Vec<bool> {
    let weight = |settlement: &Settlement| match settlement {
        Settlement::Ack | Settlement::Discard => 0,
        Settlement::DeadLetter { .. } => 1,
        Settlement::Requeue { .. } => 2,
        Settlement::Retry { .. } => 3,
    };
    let weights: Vec<u8> = settlements.iter().map(|(_, settlement)| weight(settlement)).collect();
    let mut of_key: HashMap<Option<&str>, usize> = HashMap::new();
    for (index, (key, _)) in settlements.iter().enumerate() {
        let heaviest = of_key.entry(*key).or_insert(index);
        if weights[index] > weights[*heaviest] {
            *heaviest = index;
        }
    }
    let whole = of_key.get(&None).copied().filter(|index| weights[*index] > 1);
    let indices = settlements.iter().enumerate();
    let serves = |index, key| whole.or_else(|| of_key.get(key).copied()) == Some(index);
    indices.map(|(index, (key, _))| weights[index] > 0 && !serves(index, key)).collect()
}

fn failed(error: &HandlerError, policy: &RetryPolicy, on_error: OnError, now: Circumstances) -> Settlement {
    let text = error.chain();
    match (error.disposition(), on_error) {
        (Some(Disposition::Discard), _) | (None, OnError::Discard) => Settlement::Discard,
        (Some(Disposition::Retry(delay)), _) => retry(delay, policy, now, &text, error.type_name()),
        (None, OnError::Retry) => retry(None, policy, now, &text, error.type_name()),
        (Some(Disposition::Pause(_)), _) | (None, OnError::Requeue) => requeue(now, &text, error.type_name()),
        (Some(Disposition::DeadLetter), _) => dead(DeadLetterReason::Permanent, &text, error.type_name()),
        (None, OnError::DeadLetter) => dead(DeadLetterReason::Failed, &text, error.type_name()),
    }
}

fn retry(
    delay: Option<Duration>,
    policy: &RetryPolicy,
    now: Circumstances,
    error: &str,
    error_type: &'static str,
) -> Settlement {
    let planned = delay.unwrap_or_else(|| policy.delay(now.attempt, 0));
    let late = policy.give_up_after.is_some_and(|limit| now.since_first_failure + planned > limit);
    if now.attempt > policy.max || late {
        return dead(DeadLetterReason::Failed, error, error_type);
    }
    let delay = delay.unwrap_or_else(|| policy.delay(now.attempt, now.lot)).min(crate::policy::DELAY_MAX);
    Settlement::Retry { delay, attempt: now.attempt + 1, error: error.to_owned(), error_type }
}

fn requeue(now: Circumstances, error: &str, error_type: &'static str) -> Settlement {
    if now.requeues >= REQUEUES_MAX {
        return dead(DeadLetterReason::Failed, error, error_type);
    }
    Settlement::Requeue { requeues: now.requeues + 1, error: error.to_owned(), error_type }
}

fn dead(reason: DeadLetterReason, error: &str, error_type: &'static str) -> Settlement {
    Settlement::DeadLetter { reason, error: error.to_owned(), error_type }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{ack, reject, requeue, retry, retry_later};

    const FIRST: Circumstances =
        Circumstances { attempt: 1, requeues: 0, since_first_failure: Duration::ZERO, lot: 0 };

    #[expect(clippy::needless_pass_by_value, reason = "the tables are easier to read")]
    fn decide(outcome: Outcome, on_error: OnError, now: Circumstances) -> Settlement {
        settlement(&outcome, &RetryPolicy::default(), on_error, now)
    }

    fn failure() -> Outcome {
        Outcome::Failed(HandlerError::new("no"))
    }

    fn paused(time: Duration) -> HandlerError {
        HandlerError::new("away").with_disposition(Some(Disposition::Pause(time)))
    }

    /// A settlement without its texts.
    #[derive(Debug, PartialEq)]
    enum Wanted {
        Ack,
        Discard,
        RetryIn(u64),
        Requeue(u32),
        Dead(DeadLetterReason),
    }

    fn kind(settlement: &Settlement) -> Wanted {
        match settlement {
            Settlement::Ack => Wanted::Ack,
            Settlement::Discard => Wanted::Discard,
            Settlement::Retry { delay, .. } => Wanted::RetryIn(delay.as_secs()),
            Settlement::Requeue { requeues, .. } => Wanted::Requeue(*requeues),
            Settlement::DeadLetter { reason, .. } => Wanted::Dead(*reason),
        }
    }

    #[test]
    fn every_outcome_has_one_settlement() {
        use DeadLetterReason::{Failed, Permanent, Rejected};
        let failed = |error| Outcome::Failed(error);
        let soon = Duration::from_secs(3);
        let table = [
            (ack(), OnError::Retry, Wanted::Ack),
            (Outcome::Discard, OnError::Retry, Wanted::Discard),
            (requeue(), OnError::Retry, Wanted::Requeue(1)),
            (retry(), OnError::DeadLetter, Wanted::RetryIn(1)),
            (retry_later(Duration::from_secs(9)), OnError::Retry, Wanted::RetryIn(9)),
            (reject("bad"), OnError::Retry, Wanted::Dead(Rejected)),
            (failure(), OnError::Retry, Wanted::RetryIn(1)),
            (failure(), OnError::Discard, Wanted::Discard),
            (failure(), OnError::Requeue, Wanted::Requeue(1)),
            (failure(), OnError::DeadLetter, Wanted::Dead(Failed)),
            (failed(HandlerError::permanent("no")), OnError::Retry, Wanted::Dead(Permanent)),
            (failed(HandlerError::transient("no")), OnError::DeadLetter, Wanted::RetryIn(1)),
            (failed(paused(soon)), OnError::Discard, Wanted::Requeue(1)),
            (failed(HandlerError::retry_after("no", soon)), OnError::Discard, Wanted::RetryIn(3)),
        ];
        for (outcome, on_error, wanted) in table {
            let name = format!("{outcome:?} with {on_error:?}");
            assert_eq!(kind(&decide(outcome, on_error, FIRST)), wanted, "{name}");
        }
    }

    #[test]
    fn attempts_requeues_and_time_run_out() {
        let dead = Wanted::Dead(DeadLetterReason::Failed);
        let last = Circumstances { attempt: 5, ..FIRST };
        assert_eq!(kind(&decide(failure(), OnError::Retry, last)), Wanted::RetryIn(16));
        let over = Circumstances { attempt: 6, ..FIRST };
        assert_eq!(kind(&decide(failure(), OnError::Retry, over)), dead);
        assert_eq!(kind(&decide(retry_later(Duration::ZERO), OnError::Retry, over)), dead);

        let put_back = Circumstances { requeues: REQUEUES_MAX, ..FIRST };
        assert_eq!(kind(&decide(requeue(), OnError::Retry, put_back)), dead);

        let policy = RetryPolicy { give_up_after: Some(Duration::from_secs(10)), ..RetryPolicy::default() };
        let late = Circumstances { since_first_failure: Duration::from_secs(10), attempt: 2, ..FIRST };
        assert_eq!(kind(&settlement(&failure(), &policy, OnError::Retry, late)), dead);
    }

    #[test]
    fn a_command_that_fails_for_good_is_done_with_its_answer() {
        let none = RetryPolicy::NONE;
        let some = RetryPolicy::default();
        let permanent = || Outcome::Failed(HandlerError::permanent("no"));
        let transient = || Outcome::Failed(HandlerError::transient("no"));
        let over = Circumstances { attempt: 6, ..FIRST };
        let table = [
            (ack(), none, OnError::Retry, FIRST, Wanted::Ack),
            (failure(), none, OnError::Retry, FIRST, Wanted::Discard),
            (failure(), some, OnError::Retry, FIRST, Wanted::RetryIn(1)),
            (failure(), some, OnError::Retry, over, Wanted::Discard),
            (failure(), none, OnError::DeadLetter, FIRST, Wanted::Dead(DeadLetterReason::Failed)),
            (transient(), none, OnError::Retry, FIRST, Wanted::Discard),
            (transient(), some, OnError::Retry, FIRST, Wanted::RetryIn(1)),
            (retry(), none, OnError::Retry, FIRST, Wanted::Discard),
            (Outcome::Failed(paused(Duration::from_secs(9))), some, OnError::Retry, FIRST, Wanted::Discard),
            (permanent(), some, OnError::Retry, FIRST, Wanted::Dead(DeadLetterReason::Permanent)),
            (reject("bad"), some, OnError::Retry, FIRST, Wanted::Dead(DeadLetterReason::Rejected)),
        ];
        for (outcome, policy, on_error, now, wanted) in table {
            let settlement = of_command(&outcome, settlement(&outcome, &policy, on_error, now), on_error);
            assert_eq!(kind(&settlement), wanted, "{outcome:?} with {on_error:?} and {policy:?}");
            assert_eq!(settlement.is_another_attempt(), matches!(wanted, Wanted::RetryIn(_)));
        }
    }

    #[test]
    fn r2_the_budget_is_the_time_until_the_next_attempt() {
        let policy = RetryPolicy { give_up_after: Some(Duration::from_secs(10)), ..RetryPolicy::default() };
        let dead = || Wanted::Dead(DeadLetterReason::Failed);
        let at = |attempt, seconds| Circumstances {
            attempt,
            since_first_failure: Duration::from_secs(seconds),
            ..FIRST
        };
        let table = [
            (failure(), at(1, 0), Wanted::RetryIn(1)),
            (failure(), at(3, 6), Wanted::RetryIn(4)),
            (failure(), at(3, 7), dead()),
            (retry_later(Duration::from_secs(10)), at(1, 0), Wanted::RetryIn(10)),
            (retry_later(Duration::from_secs(11)), at(1, 0), dead()),
            (retry_later(Duration::ZERO), at(4, 10), Wanted::RetryIn(0)),
        ];
        for (outcome, now, wanted) in table {
            let decided = settlement(&outcome, &policy, OnError::Retry, now);
            assert_eq!(kind(&decided), wanted, "{outcome:?} at {now:?}");
        }
    }

    #[test]
    fn r2_an_explicit_delay_wins() {
        let policy = RetryPolicy { max_delay: Duration::from_secs(2), ..RetryPolicy::default() };
        for lot in 0..crate::policy::JITTER_BUCKETS {
            let now = Circumstances { attempt: 3, lot, ..FIRST };
            let later = retry_later(Duration::from_secs(90));
            let Settlement::Retry { delay, .. } = settlement(&later, &policy, OnError::Discard, now) else {
                panic!("an outcome is obeyed")
            };
            assert_eq!(delay, Duration::from_secs(90), "neither the cap nor the jitter holds for it");
        }
    }

    #[test]
    fn one_copy_serves_for_those_that_cannot_be_told_apart() {
        let (ack, discard) = (Settlement::Ack, Settlement::Discard);
        let (error, error_type) = (String::new(), "");
        let again = Settlement::Retry { delay: Duration::ZERO, attempt: 2, error: error.clone(), error_type };
        let back = Settlement::Requeue { requeues: 1, error: error.clone(), error_type };
        let dead = Settlement::DeadLetter { reason: DeadLetterReason::Rejected, error, error_type };
        let (a, b) = (Some("a"), Some("b"));
        type Row<'a> = (&'a [(Option<&'a str>, &'a Settlement)], &'a [bool]);
        let table: [Row<'_>; 9] = [
            (&[], &[]),
            (&[(None, &again)], &[false]),
            (&[(a, &again), (b, &again), (None, &ack)], &[false, false, false]),
            (&[(a, &again), (a, &again), (a, &ack)], &[false, true, false]),
            (&[(a, &dead), (a, &again)], &[true, false]),
            (&[(None, &dead), (None, &again), (None, &again)], &[true, false, true]),
            (&[(a, &again), (None, &back), (b, &dead), (None, &discard)], &[true, false, true, false]),
            (&[(a, &again), (None, &dead), (b, &dead)], &[false, false, false]),
            (&[(None, &dead), (None, &dead)], &[false, true]),
        ];
        for (settlements, wanted) in table {
            assert_eq!(superseded(settlements), wanted, "{settlements:?}");
        }
    }
}
