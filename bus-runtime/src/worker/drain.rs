//! How a worker ends: what has not begun goes back, what has begun ends, and what takes too long is interrupted.

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::Worker;
use super::lanes::Lanes;
use super::phase::{Phase, time_is_up};
use crate::seam;
use crate::transport::{Consumer, Incoming, Verdict};

/// How long a consumer or a connection may take to flush and close: while the handlers would still have time, and after it.
const CLOSE_TIMEOUT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(2));
/// How long handlers that are interrupted may take to notice; one that blocks its thread never does.
const INTERRUPT_TIMEOUT: Duration = Duration::from_millis(500);

impl Worker {
    /// Gives back what has not begun, finishes what has, and interrupts what takes too long. Says how many that were.
    pub(super) async fn drain(
        mut self,
        mut consumer: Option<Box<dyn Consumer>>,
        mut phase: watch::Receiver<Phase>,
    ) -> usize {
        if let Some(incoming) = self.in_hand.take() {
            give_back(incoming);
        }
        let rest = self.unbegun();
        self.lanes.iter().for_each(Lanes::close);
        if let Some(consumer) = &mut consumer {
            cancel(consumer, &mut phase, rest).await;
        }
        let interrupted = self.finish(&mut phase).await;
        if let Some(consumer) = consumer {
            close(consumer, &phase).await;
        }
        interrupted
    }

    /// What becomes of the messages that have not begun: nothing may overtake them in a queue that keeps an order.
    pub(super) fn unbegun(&self) -> Rest {
        let keeps_order = self.lanes.is_some() || self.queue.concurrency == 1;
        if keeps_order { Rest::Kept } else { Rest::Requeued }
    }

    /// Waits for what has begun, and interrupts what takes too long. Says how many that were.
    pub(super) async fn finish(&mut self, phase: &mut watch::Receiver<Phase>) -> usize {
        let all_end = async { while self.running.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = all_end => return 0,
            () = time_is_up(phase) => {}
        }
        while self.running.try_join_next().is_some() {}
        let interrupted = self.running.len();
        if interrupted > 0 {
            let _ = timeout(INTERRUPT_TIMEOUT, self.running.shutdown()).await;
            tracing::warn!(queue = %self.queue.name, interrupted, "handlers were interrupted; their messages go back to the queue");
        }
        interrupted
    }
}

/// What becomes of messages that had arrived and have not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// They go back at once.
    Requeued,
    /// They stay unsettled, and go back when the consumer closes: then what they must not overtake has ended.
    Kept,
}

/// Asks for no more messages, and gives back what had arrived: the broker delivers it to somebody else. A broker that does not
/// answer keeps nobody for longer than the handlers may take; then what had arrived goes back with the connection.
pub(super) async fn cancel(consumer: &mut Box<dyn Consumer>, phase: &mut watch::Receiver<Phase>, rest: Rest) {
    let giving_back = async {
        consumer.cancel().await;
        while let Some(item) = poll_fn(|cx| consumer.poll_next(cx)).await {
            if let (Ok(incoming), Rest::Requeued) = (item, rest) {
                give_back(incoming);
            }
        }
    };
    tokio::select! {
        biased;
        () = giving_back => {}
        () = time_is_up(phase) => {}
    }
}

/// Gives back a message that has not begun: the broker delivers it again, to somebody else.
pub(super) fn give_back(incoming: Incoming) {
    // An error means that it goes back anyway.
    let _ = incoming.settler.settle(Verdict::Requeue);
}

/// Closes a consumer.
pub(super) async fn close(consumer: Box<dyn Consumer>, phase: &watch::Receiver<Phase>) {
    let left = phase.borrow().deadline().map(|deadline| deadline.saturating_duration_since(seam::now()));
    consumer.close(close_timeout(left.unwrap_or_default())).await;
}

/// How long closing may take when the handlers would have so much time left.
pub(crate) fn close_timeout(left: Duration) -> Duration {
    let (in_time, after) = CLOSE_TIMEOUT;
    (left + after).min(in_time)
}
