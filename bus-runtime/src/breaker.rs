//! The breaker of a handler: closed while it works, open while its queue rests, half open while it is tried.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::outcome::{Disposition, HandlerError, Outcome};
use crate::policy::BreakerPolicy;

/// What a handler's breaker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Nothing: the queue is consumed.
    #[default]
    Closed,
    /// The queue is not consumed; messages stay in the broker.
    Open,
    /// One message at a time is handled, to see whether it works again.
    HalfOpen,
}

impl BreakerState {
    /// `closed`, `open` or `half_open`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The breaker of one handler. Without a policy it opens only when an error asks for a pause.
#[derive(Debug)]
pub(crate) struct Breaker {
    policy: Option<BreakerPolicy>,
    memory: Mutex<Memory>,
    state: watch::Sender<BreakerState>,
}

/// What it remembers.
#[derive(Debug, Default)]
struct Memory {
    /// When the handler failed within the window; no more than the policy's number.
    failures: VecDeque<Instant>,
    /// When the pause is over.
    until: Option<Instant>,
    /// Successes since it is half open.
    successes: u32,
    opened: u64,
}

/// What an outcome says about the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Success,
    Failure,
    /// The handler itself asks for a pause.
    Pause(Duration),
    /// It is about the message alone.
    Nothing,
}

impl Sign {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) | Outcome::Ack => Self::Success,
            Outcome::Failed(error) => Self::of_error(error),
            Outcome::Retry(_) | Outcome::Requeue | Outcome::DeadLetter(..) | Outcome::Discard => {
                Self::Nothing
            }
        }
    }

    fn of_error(error: &HandlerError) -> Self {
        match error.disposition() {
            Some(Disposition::Pause(time)) => Self::Pause(time),
            None | Some(Disposition::Retry(_)) => Self::Failure,
            Some(Disposition::DeadLetter | Disposition::Discard) => Self::Nothing,
        }
    }
}

impl Breaker {
    pub(crate) fn new(policy: Option<BreakerPolicy>) -> Self {
        Self { policy, memory: Mutex::default(), state: watch::Sender::new(BreakerState::Closed) }
    }

    pub(crate) fn state(&self) -> BreakerState {
        *self.state.borrow()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state() == BreakerState::Open
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.memory().opened
    }

    /// When its pause is over; nothing unless it is open.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.memory().until
    }

    /// Waits until it is open.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(crate) async fn opens(&self) {
        // It is never an error: the sender lives as long as this future.
        let _ = self.state.subscribe().wait_for(|state| *state == BreakerState::Open).await;
    }

    /// Takes note of how a call of the handler ended. Answers the new state when that changed it.
    pub(crate) fn note(&self, outcome: &Outcome, now: Instant) -> Option<BreakerState> {
        let sign = Sign::of(outcome);
        if sign == Sign::Nothing && self.policy.is_some()
            || sign == Sign::Success && self.state() == BreakerState::Closed
        {
            return None;
        }
        let mut memory = self.memory();
        match (self.state(), sign, self.policy) {
            (state, Sign::Pause(time), _) => {
                let until = now + time;
                memory.until = Some(memory.until.map_or(until, |earlier| earlier.max(until)));
                (state != BreakerState::Open).then(|| self.open(&mut memory))
            }
            (BreakerState::Closed, Sign::Failure, Some(policy)) => {
                let begin = now.checked_sub(policy.window);
                memory.failures.retain(|failed| begin.is_none_or(|begin| *failed > begin));
                memory.failures.push_back(now);
                let enough = memory.failures.len() >= policy.failures as usize;
                enough.then(|| self.open_for(&mut memory, now + policy.pause))
            }
            (BreakerState::HalfOpen, Sign::Failure, Some(policy)) => {
                Some(self.open_for(&mut memory, now + policy.pause))
            }
            (BreakerState::HalfOpen, Sign::Success, Some(policy)) => {
                memory.successes += 1;
                (memory.successes >= policy.successes).then(|| self.close(&mut memory))
            }
            // It was open because an error asked for it, and this one does not.
            (BreakerState::HalfOpen, _, None) => Some(self.close(&mut memory)),
            _ => None,
        }
    }

    /// Lets it try when its pause is over.
    pub(crate) fn try_again(&self, now: Instant) -> bool {
        let mut memory = self.memory();
        let is_over = self.is_open() && memory.until.is_none_or(|until| until <= now);
        if is_over {
            memory.until = None;
            memory.successes = 0;
            self.state.send_replace(BreakerState::HalfOpen);
        }
        is_over
    }

    fn open_for(&self, memory: &mut Memory, until: Instant) -> BreakerState {
        memory.until = Some(until);
        self.open(memory)
    }

    fn open(&self, memory: &mut Memory) -> BreakerState {
        memory.failures.clear();
        memory.opened += 1;
        self.state.send_replace(BreakerState::Open);
        BreakerState::Open
    }

    fn close(&self, memory: &mut Memory) -> BreakerState {
        memory.failures.clear();
        self.state.send_replace(BreakerState::Closed);
        BreakerState::Closed
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{ack, reject};

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        window: Duration::from_secs(60),
        pause: Duration::from_secs(30),
        successes: 2,
    };

    fn failed() -> Outcome {
        Outcome::Failed(HandlerError::new("no"))
    }

    fn paused(seconds: u64) -> Outcome {
        let pause = Disposition::Pause(Duration::from_secs(seconds));
        Outcome::Failed(HandlerError::new("away").with_disposition(Some(pause)))
    }

    /// Plays calls, each with the second at which it ended, and tells the states after them.
    fn play(policy: Option<BreakerPolicy>, calls: Vec<(u64, Outcome)>) -> Vec<BreakerState> {
        let (breaker, start) = (Breaker::new(policy), crate::seam::now());
        let mut states = Vec::new();
        for (second, outcome) in calls {
            let now = start + Duration::from_secs(second);
            breaker.try_again(now);
            breaker.note(&outcome, now);
            states.push(breaker.state());
        }
        states
    }

    #[test]
    fn it_opens_after_failures_within_the_window() {
        use BreakerState::{Closed, Open};
        let together = vec![(0, failed()), (10, ack()), (20, failed()), (30, failed())];
        assert_eq!(play(Some(POLICY), together), [Closed, Closed, Closed, Open]);
        let apart = vec![(0, failed()), (30, failed()), (61, failed()), (100, failed())];
        assert_eq!(play(Some(POLICY), apart), [Closed, Closed, Closed, Closed]);
    }

    #[test]
    fn it_closes_after_successes_and_opens_again_with_one_failure() {
        use BreakerState::{Closed, HalfOpen, Open};
        let calls = vec![
            (0, failed()),
            (0, failed()),
            (0, failed()),
            // What was under way when it opened says nothing.
            (1, ack()),
            (1, failed()),
            (30, ack()),
            (31, failed()),
            (60, ack()),
            (61, ack()),
            (62, ack()),
        ];
        let states = play(Some(POLICY), calls);
        assert_eq!(states[..5], [Closed, Closed, Open, Open, Open]);
        assert_eq!(states[5..], [HalfOpen, Open, Open, HalfOpen, Closed]);
    }

    #[test]
    fn what_is_about_the_message_alone_does_not_count() {
        let permanent = || Outcome::Failed(HandlerError::permanent("never"));
        let calls = vec![(0, permanent()), (0, reject("bad")), (0, permanent()), (0, permanent())];
        assert_eq!(play(Some(POLICY), calls).last(), Some(&BreakerState::Closed));
        let transient = || Outcome::Failed(HandlerError::transient("again"));
        let calls = vec![(0, transient()), (0, transient()), (0, transient())];
        assert_eq!(play(Some(POLICY), calls).last(), Some(&BreakerState::Open));
    }

    #[test]
    fn an_error_can_ask_for_a_pause() {
        use BreakerState::{Closed, Open};
        let without_policy = vec![(0, failed()), (1, paused(10)), (2, ack()), (11, failed())];
        assert_eq!(play(None, without_policy), [Closed, Open, Open, Closed]);
        let longest_counts = vec![(0, paused(10)), (1, paused(60)), (2, paused(1)), (60, ack()), (61, ack())];
        assert_eq!(play(None, longest_counts), [Open, Open, Open, Open, Closed]);
        let with_policy = vec![(0, paused(40)), (39, ack()), (40, ack()), (41, ack())];
        assert_eq!(play(Some(POLICY), with_policy), [Open, Open, BreakerState::HalfOpen, Closed]);
    }
}
