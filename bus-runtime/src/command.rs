//! Commands: a message that waits for its reply, and the desk where replies arrive.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, oneshot};

use crate::envelope::{Envelope, Text};
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::outcome::HandlerError;
use crate::publish::Draft;
use crate::topology::{Queue, QueueType, Topology};
use crate::transport::{BoxFuture, ConsumeOptions, Consumer, Incoming, Verdict};

/// How long a command waits for its reply.
pub(crate) const EXECUTE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// How long the reply queue of a process that is gone stays on the broker.
const REPLY_QUEUE_EXPIRES: Duration = Duration::from_secs(300);
/// Replies fetched ahead.
const REPLY_PREFETCH: u16 = 256;

/// A command about to be sent. Awaiting it gives the reply.
#[must_use = "a command is not sent until it is awaited"]
pub struct Execute<R> {
    draft: Result<(Arc<Hub>, Draft), Error>,
    timeout: Duration,
    reply: PhantomData<fn() -> R>,
}

impl<R> Execute<R> {
    pub(crate) fn new(draft: Result<(Arc<Hub>, Draft), Error>) -> Self {
        Self { draft, timeout: EXECUTE_TIMEOUT_DEFAULT, reply: PhantomData }
    }

    /// Waits at most this long. The command expires with it: a command that timed out does not run later.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<R> fmt::Debug for Execute<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<R: DeserializeOwned + 'static> IntoFuture for Execute<R> {
    type Output = Result<R, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { draft, timeout, .. } = self;
        Box::pin(async move {
            let (hub, draft) = draft?;
            let topic = draft.envelope.routing_key.clone();
            match tokio::time::timeout(timeout, ask(&hub, draft, timeout)).await {
                Ok(reply) => decode(&topic, &reply?),
                Err(_) => Err(Error::new(
                    ErrorKind::TimedOut,
                    format!("no reply to command `{topic}` within {timeout:?}"),
                )),
            }
        })
    }
}

/// Sends the command and waits for its reply.
async fn ask(hub: &Arc<Hub>, mut draft: Draft, timeout: Duration) -> Result<Bytes, Error> {
    let desk = hub.replies.queue(hub).await?;
    let properties = &mut draft.envelope.properties;
    let id = crate::seam::message_id();
    properties.correlation_id = Some(Text::Owned(id.clone()));
    properties.reply_to = Some(Text::Owned(desk.to_string()));
    properties.expiration = Some(timeout);
    let waiting = hub.replies.expect(id);
    hub.send_draft(draft).await?;
    waiting.reply().await
}

/// What a reply's body holds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reply<R> {
    Ok(R),
    Err { error: String, error_type: String },
}

fn decode<R: DeserializeOwned>(topic: &RoutingKey, reply: &[u8]) -> Result<R, Error> {
    match serde_json::from_slice(reply) {
        Ok(Reply::Ok(value)) => Ok(value),
        Ok(Reply::Err { error, error_type }) => Err(Error::new(
            ErrorKind::CommandFailed,
            format!("the handler of command `{topic}` failed: {error}"),
        )
        .with_help(format!("the error was a `{error_type}`"))),
        Err(error) => {
            Err(Error::new(ErrorKind::Codec, format!("can't decode the reply to command `{topic}`"))
                .with_source(error))
        }
    }
}

/// The message that carries a handler's reply, or its error, to whoever asked; `None` when nobody did.
pub(crate) fn reply(request: &Envelope, result: Result<&[u8], &HandlerError>) -> Option<Envelope> {
    let key = RoutingKey::new(request.properties.reply_to.as_deref()?).ok()?;
    let body = match result {
        Ok(value) => {
            let value: &serde_json::value::RawValue = serde_json::from_slice(value).ok()?;
            serde_json::to_vec(&Reply::Ok(value))
        }
        Err(error) => serde_json::to_vec(&Reply::<()>::Err {
            error: error.chain(),
            error_type: error.type_name().to_owned(),
        }),
    };
    let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, body.ok()?);
    envelope.properties.correlation_id.clone_from(&request.properties.correlation_id);
    envelope.properties.content_type = Some(Text::Borrowed("application/json"));
    Some(envelope)
}

/// The desk where replies arrive: one queue of this process, and who waits for which reply.
#[derive(Default)]
pub(crate) struct Replies {
    queue: OnceCell<QueueName>,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Bytes>>>>,
}

impl Replies {
    /// The queue that replies come to; made when the first command is sent.
    async fn queue(&self, hub: &Arc<Hub>) -> Result<&QueueName, Error> {
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
        let waiting = Arc::clone(&self.waiting);
        crate::seam::spawn("replies", hand_out(consumer, waiting, hub.shutdown_finished()));
        Ok(name)
    }

    /// Notes that somebody waits for the reply with this correlation id.
    fn expect(&self, id: String) -> Waiting {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id.clone(), sender);
        Waiting { id, receiver, desk: Arc::clone(&self.waiting) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Bytes>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a reply; forgotten when dropped.
struct Waiting {
    id: String,
    receiver: oneshot::Receiver<Bytes>,
    desk: Arc<Mutex<HashMap<String, oneshot::Sender<Bytes>>>>,
}

impl Waiting {
    async fn reply(mut self) -> Result<Bytes, Error> {
        (&mut self.receiver)
            .await
            .map_err(|_| Error::new(ErrorKind::Closed, "the bus was shut down while a command waited"))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Gives every reply to whoever waits for it, until the app has shut down.
async fn hand_out(
    mut consumer: Box<dyn Consumer>,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Bytes>>>>,
    mut finished: tokio::sync::watch::Receiver<bool>,
) {
    loop {
        let next = std::future::poll_fn(|cx| consumer.poll_next(cx));
        let item = tokio::select! {
            item = next => item,
            _ = finished.wait_for(|finished| *finished) => break,
        };
        match item {
            Some(Ok(incoming)) => deliver(incoming, &waiting),
            Some(Err(error)) => tracing::warn!(%error, "the reply queue was interrupted"),
            None => break,
        }
    }
    consumer.close(Duration::from_secs(1)).await;
    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

fn deliver(incoming: Incoming, waiting: &Mutex<HashMap<String, oneshot::Sender<Bytes>>>) {
    let Incoming { envelope, settler, .. } = incoming;
    let id = envelope.properties.correlation_id.as_deref().unwrap_or_default();
    if let Some(sender) = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
        // Whoever asked may have given up in the meantime.
        let _ = sender.send(envelope.body.clone());
    }
    // A reply that is lost with its channel is of no use to anybody.
    let _ = settler.settle(Verdict::Ack);
}
