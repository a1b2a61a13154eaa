//! When a consumer has had nothing to do for so long that it is better consumed anew.
//!
//! RabbitMQ can break a consumer without a word. When a quorum queue is deleted and made anew within milliseconds, 3.10 consumes
//! the new queue in our name, counts us among its consumers, and keeps every message of it to itself: no question tells that
//! from a queue in which there is nothing. A new consumer has what was kept, and costs nobody anything while nothing happens.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::settle::Settlements;

/// Watches for a consumer that waits in vain.
pub(super) struct Idleness {
    after: Duration,
    timer: Pin<Box<Sleep>>,
    /// How many messages it had had when the timer was set.
    delivered: u64,
}

impl Idleness {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, timer: Box::pin(sleep(after)), delivered: 0 }
    }

    /// Ready when no message has come for at least so long, and none is unsettled: nothing would be delivered twice. Only for a
    /// consumer that is asked for messages and has none; what has arrived and waits to be taken would go back with its channel.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, settlements: &Settlements) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let delivered = settlements.delivered();
            let is_idle = delivered == self.delivered && settlements.count() >= delivered;
            self.delivered = delivered;
            self.timer.as_mut().reset(Instant::now() + self.after);
            if is_idle {
                return Poll::Ready(());
            }
        }
    }

    /// Begins anew, on a new channel.
    pub(super) fn begin(&mut self) {
        self.delivered = 0;
        self.timer.as_mut().reset(Instant::now() + self.after);
    }
}
