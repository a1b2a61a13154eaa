//! Backpressure: what a publisher does when a queue of this app is full, or nearly so.
//!
//! A broker knows two answers of a full queue: it drops the oldest message, or it refuses the new one. Waiting and slowing down
//! are done here, by the publisher, which therefore must know the handler that the queue is for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::binding_key::BindingKey;
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::names::{ExchangeName, QueueName};
use crate::policy::WhenFull;
use crate::seam;
use crate::topology::Plan;
use crate::transport::{Confirmation, is_high, is_low};

/// How long a publisher waits between two looks at a full queue: at first, and at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));
/// How often the publishers of an adaptive queue look at it: each look is a question to the broker.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The shortest and the longest pause between two messages to an adaptive queue.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// The pause that publishers of an adaptive queue make at least when it has refused a message: they were far too fast.
const PAUSE_WHEN_FULL: Duration = Duration::from_millis(20);

/// The queues of an app for which its publishers wait or slow down.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    queues: Vec<Bounded>,
    refused: AtomicU64,
    waited: AtomicU64,
    slowed: AtomicU64,
}

/// One queue.
struct Bounded {
    name: QueueName,
    max_length: u64,
    when_full: WhenFull,
    bindings: Vec<(ExchangeName, BindingKey)>,
    /// Where publishers queue while it is full.
    line: tokio::sync::Mutex<()>,
    pace: tokio::sync::Mutex<Pace>,
}

/// How fast publishers of an adaptive queue may be.
#[derive(Debug, Default)]
struct Pace {
    pause: Duration,
    next: Option<Instant>,
    looked: Option<Instant>,
}

impl Pressure {
    pub(crate) fn of(plan: &Plan) -> Self {
        let bounded = plan.queues.iter().filter_map(|queue| {
            let waits = matches!(queue.when_full, WhenFull::Block | WhenFull::Adaptive);
            let max_length = queue.declaration.arguments.max_length.filter(|_| waits)?;
            let bindings = queue
                .members
                .iter()
                .flat_map(|member| member.keys.iter().map(|key| (member.exchange.clone(), key.key.clone())));
            Some(Bounded {
                name: queue.name.clone(),
                max_length,
                when_full: queue.when_full,
                bindings: bindings.collect(),
                line: tokio::sync::Mutex::default(),
                pace: tokio::sync::Mutex::default(),
            })
        });
        Self { queues: bounded.collect(), ..Self::default() }
    }

    /// Publishes that a full queue refused for good, that waited for room, and that were slowed down.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.refused), get(&self.waited), get(&self.slowed))
    }

    /// The queue that a message is for; the first of several.
    fn queue_of(&self, envelope: &Envelope) -> Option<&Bounded> {
        let takes = |queue: &&Bounded| {
            queue
                .bindings
                .iter()
                .any(|(exchange, key)| *exchange == envelope.exchange && key.matches(&envelope.routing_key))
        };
        self.queues.iter().find(takes)
    }
}

impl Hub {
    /// Publishes one message; waits for room in a full queue that says so, but no longer than the publish timeout.
    pub(crate) async fn send_under_pressure(&self, envelope: Arc<Envelope>) -> Result<Confirmation, Error> {
        let sent = match self.pressure.queue_of(&envelope) {
            None => self.send(envelope).await,
            Some(queue) => {
                let sending = queue.send(self, envelope);
                match Box::pin(tokio::time::timeout(self.publish_timeout, sending)).await {
                    Ok(sent) => sent,
                    Err(_) => Err(queue.still_full(self.publish_timeout)),
                }
            }
        };
        if sent.as_ref().is_err_and(|error| error.kind() == ErrorKind::Nacked) {
            self.pressure.refused.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }
}

impl Bounded {
    async fn send(&self, hub: &Hub, envelope: Arc<Envelope>) -> Result<Confirmation, Error> {
        self.slow_down(hub).await?;
        // Whoever waits already is first.
        if self.line.try_lock().is_ok() {
            match hub.send(Arc::clone(&envelope)).await {
                Err(error) if error.kind() == ErrorKind::Nacked => {}
                sent => return sent,
            }
        }
        hub.pressure.waited.fetch_add(1, Ordering::Relaxed);
        let _turn = self.line.lock().await;
        let (mut pause, longest) = LOOK_AGAIN;
        loop {
            // It is offered when there is room, and not before: other queues of the exchange may have taken it already.
            let state = hub.transport.inspect(&self.name).await?;
            if state.is_none_or(|state| state.ready < self.max_length) {
                match hub.send(Arc::clone(&envelope)).await {
                    Err(error) if error.kind() == ErrorKind::Nacked => {}
                    sent => {
                        self.was_full().await;
                        return sent;
                    }
                }
            }
            seam::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Waits as long as the queue's level asks for, if it is adaptive.
    async fn slow_down(&self, hub: &Hub) -> Result<(), Error> {
        if self.when_full != WhenFull::Adaptive {
            return Ok(());
        }
        let now = seam::now();
        let start = {
            let mut pace = self.pace.lock().await;
            if pace.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY) {
                let state = hub.transport.inspect(&self.name).await?;
                pace.pause = adapted(pace.pause, state.map_or(0, |state| state.ready), self.max_length);
                pace.looked = Some(now);
            }
            let start = pace.next.map_or(now, |next| next.max(now));
            pace.next = Some(start + pace.pause);
            start
        };
        if start > now {
            hub.pressure.slowed.fetch_add(1, Ordering::Relaxed);
            seam::sleep(start.duration_since(now)).await;
        }
        Ok(())
    }

    /// The next message to an adaptive queue that was full has to wait.
    async fn was_full(&self) {
        let mut pace = self.pace.lock().await;
        let now = seam::now();
        pace.pause = (pace.pause * 2).clamp(PAUSE_WHEN_FULL, PAUSES.1);
        pace.next = Some(now + pace.pause);
        pace.looked = Some(now);
    }

    fn still_full(&self, waited: Duration) -> Error {
        let text = format!("queue `{}` was full for {waited:?} and did not take the message", self.name);
        Error::new(ErrorKind::Nacked, text)
            .with_help("its handlers are slower than its publishers: more of them, or a longer queue")
    }
}

/// The pause between two messages, of the one before and of how full the queue is.
fn adapted(pause: Duration, ready: u64, max_length: u64) -> Duration {
    let (shortest, longest) = PAUSES;
    if is_high(ready, max_length) {
        (pause * 2).clamp(shortest, longest)
    } else if is_low(ready, max_length) {
        Some(pause / 2).filter(|pause| *pause >= shortest).unwrap_or_default()
    } else {
        pause
    }
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded")
            .field("name", &self.name)
            .field("max_length", &self.max_length)
            .field("when_full", &self.when_full)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_slow_down_and_recover() {
        let millis = Duration::from_millis;
        let mut pause = Duration::ZERO;
        let mut at = |ready| {
            pause = adapted(pause, ready, 100);
            pause
        };
        assert_eq!([at(0), at(50), at(79)], [Duration::ZERO; 3]);
        assert_eq!([at(80), at(90), at(100)], [millis(1), millis(2), millis(4)]);
        assert_eq!(at(60), millis(4), "between the marks it stays");
        assert_eq!((0..20).map(|_| at(100)).last(), Some(Duration::from_secs(1)));
        assert_eq!(at(50), millis(500));
        assert_eq!((0..9).map(|_| at(0)).last(), Some(Duration::ZERO));
    }
}
