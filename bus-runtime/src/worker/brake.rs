//! How a worker rests while a breaker of its handlers is open, and how it starts again: with one message at a time.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::drain;
use super::member::Member;
use super::phase::{self, Phase};
use super::{Worker, consume};
use crate::breaker::BreakerState;
use crate::counters::Counters;
use crate::seam;
use crate::transport::Consumer;

/// The messages that a queue has outstanding while its breaker is half open.
const PROBES: u16 = 1;
/// How long a worker waits before it tries again to consume, when the broker did not let it.
const CONSUME_AGAIN: Duration = Duration::from_secs(1);

/// The breakers of a queue's handlers. One that is open stops them all: a message is for all of them, and is settled once.
#[derive(Clone, Debug)]
pub(super) struct Brake(Vec<Arc<Counters>>);

impl Brake {
    pub(super) fn of(members: &[Member]) -> Self {
        Self(members.iter().map(|member| Arc::clone(&member.counters)).collect())
    }

    pub(super) fn is_pulled(&self) -> bool {
        self.0.iter().any(|handler| handler.breaker.is_open())
    }

    fn is_released(&self) -> bool {
        self.0.iter().all(|handler| handler.breaker.state() == BreakerState::Closed)
    }

    /// Waits until a breaker is open.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(super) async fn pulled(&self) {
        match self.0.as_slice() {
            [] => pending().await,
            [only] => only.breaker.opens().await,
            several => {
                select_all(several.iter().map(|handler| Box::pin(handler.breaker.opens()))).await;
            }
        }
    }

    /// Waits until no pause is left, and lets the breakers try.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    async fn released(&self) {
        loop {
            let last = self.0.iter().filter_map(|handler| handler.breaker.until()).max();
            if let Some(until) = last.filter(|until| *until > seam::now()) {
                sleep_until(until).await;
                continue;
            }
            let now = seam::now();
            self.0.iter().for_each(|handler| {
                handler.breaker.try_again(now);
            });
            if !self.is_pulled() {
                return;
            }
        }
    }
}

/// Why a worker does not go on: the app drains. What it consumes with then, if it does.
pub(super) struct Drains(pub(super) Option<Box<dyn Consumer>>);

impl Worker {
    /// Stops to consume while a breaker is open, then handles one message at a time until all are closed, and consumes as before.
    pub(super) async fn rest(
        &mut self,
        mut consumer: Box<dyn Consumer>,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<Box<dyn Consumer>, Drains> {
        let brake = Brake::of(&self.members);
        loop {
            self.give_up(consumer, phase).await?;
            tokio::select! {
                biased;
                () = phase::drains(phase) => return Err(Drains(None)),
                () = brake.released() => {}
            }
            tracing::info!(queue = %self.queue.name, "the queue is tried with one message at a time");
            consumer = self.consume_again(PROBES, phase).await?;
            while !brake.is_released() && !brake.is_pulled() {
                consumer = self.probe(consumer, phase).await?;
            }
            if brake.is_released() {
                self.give_up(consumer, phase).await?;
                return self.consume_again(self.prefetch(), phase).await;
            }
        }
    }

    /// Handles one message to its end.
    async fn probe(
        &mut self,
        mut consumer: Box<dyn Consumer>,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<Box<dyn Consumer>, Drains> {
        let next = tokio::select! {
            biased;
            () = phase::drains(phase) => return Err(Drains(Some(consumer))),
            next = self.next(&mut consumer) => next,
        };
        match next {
            Some(Ok((incoming, slot))) => self.begin(incoming, slot).await,
            Some(Err(error)) => self.report(&error),
            None => return Err(Drains(Some(consumer))),
        }
        self.all_ended(consumer, phase).await
    }

    /// Stops to consume: what has not begun goes back, what has begun ends.
    pub(super) async fn give_up(
        &mut self,
        mut consumer: Box<dyn Consumer>,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<(), Drains> {
        drain::cancel(&mut consumer, phase, self.unbegun()).await;
        let consumer = self.all_ended(consumer, phase).await?;
        drain::close(consumer, phase).await;
        Ok(())
    }

    async fn all_ended(
        &mut self,
        consumer: Box<dyn Consumer>,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<Box<dyn Consumer>, Drains> {
        let all_end = async { while self.running.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = phase::drains(phase) => Err(Drains(Some(consumer))),
            () = all_end => Ok(consumer),
        }
    }

    /// Consumes as soon as the broker lets it.
    pub(super) async fn consume_again(
        &mut self,
        prefetch: u16,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<Box<dyn Consumer>, Drains> {
        loop {
            let consumed = tokio::select! {
                biased;
                () = phase::drains(phase) => return Err(Drains(None)),
                consumed = consume(&self.hub, &self.queue, &self.lookouts, prefetch) => consumed,
            };
            match consumed {
                Ok(consumer) => return Ok(consumer),
                Err(error) => self.report(&error),
            }
            tokio::select! {
                biased;
                () = phase::drains(phase) => return Err(Drains(None)),
                () = seam::sleep(CONSUME_AGAIN) => {}
            }
        }
    }
}
