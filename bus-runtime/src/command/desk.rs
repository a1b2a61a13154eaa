//! The desk where replies arrive: one queue of this process, and who waits for which reply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OnceCell, oneshot, watch};

use crate::counters::Counter;
use crate::error::Error;
use crate::hub::Hub;
use crate::names::QueueName;
use crate::topology::{Queue, QueueType, Topology};
use crate::transport::{ConsumeOptions, Consumer, Incoming, Verdict};

/// How long the reply queue of a process that is gone stays on the broker.
const REPLY_QUEUE_EXPIRES: Duration = Duration::from_secs(300);
/// Replies fetched ahead.
const REPLY_PREFETCH: u16 = 256;

/// The desk where replies arrive.
#[derive(Default)]
pub(crate) struct Replies {
    queue: OnceCell<QueueName>,
    desk: Arc<Desk>,
}

/// Who waits for which reply, and how many replies nobody waited for.
#[derive(Default)]
struct Desk {
    waiting: Mutex<HashMap<String, oneshot::Sender<Bytes>>>,
    late: Counter,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Bytes>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replies {
    /// The queue that replies come to; made when the first command is sent.
    pub(super) async fn queue(&self, hub: &Arc<Hub>) -> Result<&QueueName, Error> {
        self.queue.get_or_try_init(|| self.open(hub)).await
    }

    async fn open(&self, hub: &Arc<Hub>) -> Result<QueueName, Error> {
        let name = format!("{}bus.reply.{}", hub.settings.prefix, crate::seam::message_id());
        let mut queue = Queue::durable(QueueName::new(name)?, QueueType::Classic);
        queue.auto_delete = true;
        queue.arguments.expires = Some(REPLY_QUEUE_EXPIRES);
        let name = queue.name.clone();
        hub.transport.declare(&Topology { queues: vec![queue], ..Topology::default() }).await?;
        let options = ConsumeOptions { prefetch: REPLY_PREFETCH, tag: format!("{}.replies", hub.worker) };
        let consumer = hub.transport.consume(&name, options).await?;
        let desk = Arc::clone(&self.desk);
        crate::seam::spawn("replies", hand_out(consumer, desk, hub.shutdown_finished()));
        Ok(name)
    }

    /// Notes that somebody waits for the reply with this correlation id.
    pub(super) fn expect(&self, id: String) -> Waiting {
        let (sender, receiver) = oneshot::channel();
        self.desk.lock().insert(id.clone(), sender);
        Waiting { id, receiver, desk: Arc::clone(&self.desk) }
    }

    /// Replies that came when nobody waited for them any more.
    pub(crate) fn late(&self) -> u64 {
        self.desk.late.get()
    }
}

/// Somebody who waits for a reply; forgotten when dropped.
pub(super) struct Waiting {
    id: String,
    receiver: oneshot::Receiver<Bytes>,
    desk: Arc<Desk>,
}

impl Waiting {
    pub(super) async fn reply(mut self) -> Result<Bytes, Error> {
        (&mut self.receiver).await.map_err(|_| super::shut_down())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.desk.lock().remove(&self.id);
    }
}

/// Gives every reply to whoever waits for it, until the app has shut down.
async fn hand_out(mut consumer: Box<dyn Consumer>, desk: Arc<Desk>, mut finished: watch::Receiver<bool>) {
    loop {
        let next = std::future::poll_fn(|cx| consumer.poll_next(cx));
        let item = tokio::select! {
            biased;
            item = next => item,
            _ = finished.wait_for(|finished| *finished) => break,
        };
        match item {
            Some(Ok(incoming)) => desk.deliver(incoming),
            Some(Err(error)) => tracing::warn!(%error, "the reply queue was interrupted"),
            None => break,
        }
    }
    consumer.close(Duration::from_secs(1)).await;
    desk.lock().clear();
}

impl Desk {
    fn deliver(&self, incoming: Incoming) {
        let Incoming { envelope, settler, .. } = incoming;
        let id = envelope.properties.correlation_id.as_deref().unwrap_or_default();
        let sender = self.lock().remove(id);
        let taken = sender.is_some_and(|sender| sender.send(envelope.body.clone()).is_ok());
        if !taken {
            self.late.add_one();
            tracing::debug!(correlation_id = id, "a reply came when nobody waited for it any more");
        }
        // A reply that is lost with its channel is of no use to anybody.
        let _ = settler.settle(Verdict::Ack);
    }
}
