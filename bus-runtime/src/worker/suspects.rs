//! Messages that have been delivered again and again without being settled: one of them may kill its worker, and takes with it
//! whatever the worker holds besides. They are handled one at a time, with nothing else in hand.
//!
//! A quorum queue counts the deliveries of each message that the worker holds when it dies. Were all of the prefetch counted
//! along with the one that kills, all of it would reach the delivery limit, and be dead without having been handled.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Worker;
use super::brake::Drains;
use super::drain::{self, Rest};
use super::phase::{self, Phase};
use crate::topology::plan::DELIVERY_LIMIT;
use crate::transport::{Consumer, Incoming};

/// From so many deliveries on a message is a suspect: more than a few lost connections cause, and far below the limit.
const SUSPECT_FROM: u32 = 10;
/// For how long a suspect waits for other messages of this worker to end. Handlers without a timeout may never do.
const ALONE_AFTER: Duration = Duration::from_secs(30);

/// Only what was delivered before has a count that is the broker's: a publisher can forge the header of a new message.
pub(super) fn is_suspect(incoming: &Incoming) -> bool {
    incoming.redelivered && incoming.delivery_count.is_some_and(|count| count >= SUSPECT_FROM)
}

impl Worker {
    /// Handles a suspect, and what comes after it one at a time until that is no suspect. Gives back the consumer to go on with.
    pub(super) async fn one_at_a_time(
        &mut self,
        mut consumer: Box<dyn Consumer>,
        suspect: Incoming,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<Box<dyn Consumer>, Drains> {
        tracing::warn!(
            queue = %self.queue.name,
            message_id = suspect.envelope.properties.message_id.as_deref(),
            deliveries = suspect.delivery_count,
            limit = DELIVERY_LIMIT,
            "a message was delivered many times and never settled: it may kill its worker, so messages are taken one at a time"
        );
        drain::cancel(&mut consumer, phase, Rest::Requeued).await;
        let others_end = tokio::time::timeout(ALONE_AFTER, self.idle(phase));
        if others_end.await.is_err() {
            tracing::warn!(queue = %self.queue.name, running = self.running.len(), "a suspect is handled beside messages that do not end");
        }
        let (mut next, mut is_narrow) = (Some(suspect), false);
        loop {
            if let Some(incoming) = next.take() {
                let was_suspect = is_suspect(&incoming);
                self.alone(incoming, phase).await;
                if phase.borrow().is_draining() {
                    return Err(Drains(Some(consumer)));
                }
                if !was_suspect {
                    tracing::info!(queue = %self.queue.name, "past the suspects: messages are taken side by side again");
                    drain::close(consumer, phase).await;
                    return self.consume_again(self.prefetch(), phase).await;
                }
                if !is_narrow {
                    drain::close(consumer, phase).await;
                    consumer = self.consume_again(1, phase).await?;
                    is_narrow = true;
                }
            }
            let item = tokio::select! {
                biased;
                () = phase::drains(phase) => return Err(Drains(Some(consumer))),
                item = poll_fn(|cx| consumer.poll_next(cx)) => item,
            };
            match item {
                Some(Ok(incoming)) => next = Some(incoming),
                Some(Err(error)) => self.report(&error),
                None => return Err(Drains(Some(consumer))),
            }
        }
    }

    /// Handles one message and waits for its end.
    async fn alone(&mut self, incoming: Incoming, phase: &mut watch::Receiver<Phase>) {
        let room = Arc::clone(&self.room).acquire_owned();
        let room = tokio::select! {
            biased;
            () = phase::drains(phase) => None,
            room = room => room.ok(),
        };
        let Some(room) = room else {
            return drain::give_back(incoming);
        };
        for member in &mut self.members {
            member.ready().await;
        }
        self.begin(incoming, room).await;
        self.idle(phase).await;
    }

    /// Waits until nothing runs, or the app drains.
    async fn idle(&mut self, phase: &mut watch::Receiver<Phase>) {
        let all_end = async { while self.running.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = all_end => {}
            () = phase::drains(phase) => {}
        }
    }
}
