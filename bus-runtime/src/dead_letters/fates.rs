//! Waiting for what becomes of replayed messages: their workers tell it to a queue of ours.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use crate::envelope::{Envelope, header};
use crate::error::Error;
use crate::names::QueueName;
use crate::seam;
use crate::topology::{Queue, QueueType, Topology};
use crate::transport::{ConsumeOptions, Consumer, Transport, Verdict};

/// How long the queue stays on the broker when this process is gone.
const EXPIRES: Duration = Duration::from_secs(300);
/// Notes fetched ahead.
const PREFETCH: u16 = 256;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of messages, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CanaryFate {
    /// Messages whose handlers succeeded.
    pub handled: u64,
    /// Messages that are dead again.
    pub dead: u64,
    /// Messages of which nothing was heard in time.
    pub undecided: u64,
}

/// Where the fates of messages are told.
pub(super) struct Fates {
    transport: Arc<dyn Transport>,
    queue: QueueName,
    consumer: Box<dyn Consumer>,
    /// Whether each is dead. One that several handlers got may be told several times: once dead, it stays so.
    dead: HashMap<i64, bool>,
    /// The number of the last message.
    last: i64,
    expected: u64,
}

impl Fates {
    pub(super) async fn open(transport: &Arc<dyn Transport>, prefix: &str) -> Result<Self, Error> {
        let id = seam::message_id();
        let mut queue =
            Queue::durable(QueueName::new(format!("{prefix}bus.reply.{id}"))?, QueueType::Classic);
        queue.auto_delete = true;
        queue.arguments.expires = Some(EXPIRES);
        let name = queue.name.clone();
        transport.declare(&Topology { queues: vec![queue], ..Topology::default() }).await?;
        let options = ConsumeOptions { prefetch: PREFETCH, tag: format!("fates.{id}") };
        let consumer = transport.consume(&name, options).await?;
        Ok(Self {
            transport: Arc::clone(transport),
            queue: name,
            consumer,
            dead: HashMap::new(),
            last: 0,
            expected: 0,
        })
    }

    /// Asks for the fate of a message that is about to be sent.
    pub(super) fn expect(&mut self, envelope: &mut Envelope) {
        self.last += 1;
        self.expected += 1;
        envelope.headers.set(header::REPLAY, self.last);
        envelope.headers.set(header::REPLAY_TO, self.queue.to_string());
    }

    /// One of those that were expected was not sent after all.
    pub(super) fn forget_one(&mut self) {
        self.expected -= 1;
    }

    pub(super) fn known(&self) -> CanaryFate {
        let dead = self.dead.values().filter(|dead| **dead).count() as u64;
        let handled = self.dead.len() as u64 - dead;
        CanaryFate { handled, dead, undecided: self.expected.saturating_sub(dead + handled) }
    }

    /// Takes the next note.
    pub(super) async fn next(&mut self) {
        match poll_fn(|cx| self.consumer.poll_next(cx)).await {
            Some(Ok(incoming)) => {
                let headers = &incoming.envelope.headers;
                let told = headers.int(header::REPLAY).zip(headers.text(header::FATE));
                if let Some((number, fate)) = told {
                    *self.dead.entry(number).or_default() |= fate == "dead";
                }
                // A note that comes twice says the same.
                let _ = incoming.settler.settle(Verdict::Ack);
            }
            // The transport comes back by itself; until then there is nothing to hear.
            Some(Err(error)) => tracing::warn!(%error, "the queue of fates was interrupted"),
            None => std::future::pending().await,
        }
    }

    pub(super) async fn close(self) {
        self.consumer.close(CLOSE_TIMEOUT).await;
        // It would expire by itself.
        let _ = self.transport.delete_queue(&self.queue).await;
    }
}
