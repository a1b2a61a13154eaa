//! A queue of one's own at the control exchange: letters out, letters in, and what may be in them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::words::{Answer, Peer, Request, kind};
use crate::binding_key::BindingKey;
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::provision::Declare;
use crate::seam;
use crate::topology::{
    Binding, Destination, Exchange, ExchangeKind, Overflow, Queue, QueueType, Topology, naming,
};
use crate::transport::{Confirmation, ConsumeOptions, Consumer, Incoming, Transport, Verdict};

/// Letters that may wait for a worker that does not read them; the oldest makes room.
const WAITING_MAX: u64 = 1_000;
/// Letters that are fetched ahead.
const PREFETCH: u16 = 32;
/// The largest request, and the largest answer: some thousand handlers.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Workers that one knows of.
const PEERS_MAX: usize = 512;
/// How long a name may be, as a name of AMQP may.
const NAME_MAX: usize = 255;
/// How long a letter may take to be confirmed.
const POST_TIMEOUT: Duration = Duration::from_secs(5);

/// A queue of one's own at the control exchange.
pub(crate) struct Station {
    transport: Arc<dyn Transport>,
    exchange: ExchangeName,
    /// What the names of all control queues begin with.
    queues: String,
    id: String,
    waiting: Mutex<HashMap<String, mpsc::Sender<Answer>>>,
    roster: Mutex<BTreeMap<String, Peer>>,
}

/// Where a letter goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum To<'a> {
    /// To every worker.
    All,
    /// To this queue.
    Queue(&'a str),
}

/// A letter to a worker.
#[derive(Debug)]
pub(super) enum Letter {
    Request { request: Request, from: String, id: String },
    Hello(Peer),
}

/// Who is no longer there.
#[derive(Debug, Serialize, Deserialize)]
struct Bye {
    id: String,
}

impl Station {
    /// Declares the queue, and begins to consume it. A worker hears what is for all, by way of an exchange that it declares or not;
    /// who only asks does not.
    ///
    /// # Errors
    /// What the broker says: the user may lack the permission, and then there is no fleet.
    pub(super) async fn open(
        transport: &Arc<dyn Transport>,
        prefix: &str,
        hears_all: Option<Declare>,
    ) -> Result<(Arc<Self>, Box<dyn Consumer>), Error> {
        let station = Self {
            transport: Arc::clone(transport),
            exchange: naming::exchange(&naming::control(prefix))?,
            queues: format!("{}.", naming::control(prefix)),
            id: seam::message_id(),
            waiting: Mutex::default(),
            roster: Mutex::default(),
        };
        let queue = QueueName::new(station.queue())?;
        let topology = station.topology(&queue, hears_all).await?;
        transport.declare(&topology).await?;
        let options = ConsumeOptions { prefetch: PREFETCH, tag: queue.to_string() };
        let consumer = transport.consume(&queue, options).await?;
        Ok((Arc::new(station), consumer))
    }

    async fn topology(&self, queue: &QueueName, hears_all: Option<Declare>) -> Result<Topology, Error> {
        let mut declaration = Queue::durable(queue.clone(), QueueType::Classic);
        declaration.durable = false;
        declaration.exclusive = true;
        declaration.auto_delete = true;
        declaration.arguments.max_length = Some(WAITING_MAX);
        declaration.arguments.overflow = Some(Overflow::DropHead);
        let mut topology = Topology { queues: vec![declaration], ..Topology::default() };
        let Some(declare) = hears_all else { return Ok(topology) };
        let name = self.exchange.clone();
        if declare == Declare::Always || !self.transport.has_exchange(&name).await? {
            if declare == Declare::Never {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("exchange `{name}` does not exist, and --declare is never"),
                )
                .with_help("declare it as a durable fanout exchange, or say BUS_CONTROL=off"));
            }
            let (kind, durable, auto_delete) = (ExchangeKind::Fanout, true, false);
            topology.exchanges.push(Exchange { name: name.clone(), kind, durable, auto_delete });
        }
        let key = BindingKey::parse("#")
            .map_err(|error| Error::new(ErrorKind::InvalidName, "the binding key").with_source(error))?;
        topology.bindings.push(Binding {
            exchange: name,
            destination: Destination::Queue(queue.clone()),
            key,
        });
        Ok(topology)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The own queue.
    pub(super) fn queue(&self) -> String {
        self.queue_of(&self.id)
    }

    pub(super) fn queue_of(&self, id: &str) -> String {
        format!("{}{id}", self.queues)
    }

    /// Sends a letter. What nobody reads in time is gone.
    ///
    /// # Errors
    /// What the broker says.
    pub(super) async fn post(
        &self,
        kind: &'static str,
        to: To<'_>,
        content: &impl Serialize,
        id: Option<&str>,
        expires: Duration,
    ) -> Result<Confirmation, Error> {
        let body = serde_json::to_vec(content)
            .map_err(|error| Error::new(ErrorKind::Codec, "a control message").with_source(error))?;
        let (exchange, key) = match to {
            To::All => (self.exchange.clone(), ""),
            To::Queue(queue) => (ExchangeName::default_exchange(), queue),
        };
        let mut envelope = Envelope::new(exchange, RoutingKey::new(key)?, body);
        let properties = &mut envelope.properties;
        properties.content_type = Some("application/json".into());
        properties.message_type = Some(kind.into());
        properties.correlation_id = id.map(|id| id.to_owned().into());
        properties.reply_to = Some(self.queue().into());
        properties.expiration = Some(expires);
        match tokio::time::timeout(POST_TIMEOUT, self.transport.publish(Arc::new(envelope))).await {
            Ok(confirmed) => confirmed,
            Err(_) => Err(Error::new(
                ErrorKind::TimedOut,
                format!("the broker did not confirm a control message within {POST_TIMEOUT:?}"),
            )),
        }
    }

    /// Tells all workers that one is no longer there.
    pub(super) async fn tell_gone(&self, id: &str) {
        let bye = Bye { id: id.to_owned() };
        if let Err(error) = self.post(kind::BYE, To::All, &bye, None, POST_TIMEOUT).await {
            // Whoever misses it finds out when it asks.
            tracing::debug!(%error, worker = id, "the others are not told that a worker has gone");
        }
    }

    /// Reads what has come. Answers and what is told of other workers end here; what a worker has to do something about is
    /// returned. Nobody promises that it is ours: what cannot be read is left out.
    pub(super) fn read(&self, incoming: Incoming) -> Option<Letter> {
        let Incoming { envelope, settler, .. } = incoming;
        // It is not worth a second delivery: whoever asks will ask again.
        let _ = settler.settle(Verdict::Ack);
        let letter = self.sort(&envelope);
        if letter.is_none() {
            tracing::debug!(bytes = envelope.body.len(), "a control message is left out");
        }
        letter.flatten()
    }

    /// `None` is what cannot be read; `Some(None)` is dealt with.
    fn sort(&self, envelope: &Envelope) -> Option<Option<Letter>> {
        let properties = &envelope.properties;
        match properties.message_type.as_deref()? {
            kind::REQUEST => {
                let request: Request = content(envelope, REQUEST_BYTES_MAX)?;
                let (from, id) = (properties.reply_to.as_deref()?, properties.correlation_id.as_deref()?);
                // An answer must never land in a queue of somebody else's, whoever asks for it. Ours needs none.
                let is_control_queue = from.strip_prefix(&self.queues).is_some_and(is_id);
                if !is_control_queue || id.len() > NAME_MAX {
                    return None;
                }
                let letter = Letter::Request { request, from: from.to_owned(), id: id.to_owned() };
                Some((from != self.queue()).then_some(letter))
            }
            kind::ANSWER => {
                let answer: Answer = content(envelope, ANSWER_BYTES_MAX)?;
                let waiting = self.waiting().get(properties.correlation_id.as_deref()?).cloned();
                if let Some(waiting) = waiting {
                    // Who hears no more, or has heard more than there can be, does not wait for it.
                    let _ = waiting.try_send(answer);
                }
                Some(None)
            }
            kind::HELLO => {
                let peer: Peer = content(envelope, REQUEST_BYTES_MAX)?;
                let is_other = peer.id != self.id;
                self.know(peer.clone())?;
                Some(is_other.then_some(Letter::Hello(peer)))
            }
            kind::HERE => self.know(content(envelope, REQUEST_BYTES_MAX)?).map(|()| None),
            kind::BYE => {
                let Bye { id } = content(envelope, REQUEST_BYTES_MAX)?;
                self.forget(&id);
                Some(None)
            }
            _ => None,
        }
    }

    /// Takes note of a worker, unless that is no worker at all.
    fn know(&self, peer: Peer) -> Option<()> {
        let Peer { id, name, host } = &peer;
        if !is_id(id) || name.len() > NAME_MAX || host.len() > NAME_MAX {
            return None;
        }
        let mut roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        if peer.id != self.id && (roster.len() < PEERS_MAX || roster.contains_key(id)) {
            roster.insert(id.clone(), peer);
        }
        Some(())
    }

    pub(super) fn forget(&self, id: &str) {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The other workers.
    pub(super) fn peers(&self) -> Vec<Peer> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes next; `None` when nothing comes any more.
pub(super) async fn next(consumer: &mut Box<dyn Consumer>) -> Option<Result<Incoming, Error>> {
    poll_fn(|cx| consumer.poll_next(cx)).await
}

fn content<T: DeserializeOwned>(envelope: &Envelope, bytes_max: usize) -> Option<T> {
    if envelope.body.len() > bytes_max {
        return None;
    }
    serde_json::from_slice(&envelope.body).ok()
}

/// Whether a text can be the id of a station: letters, digits and hyphens.
fn is_id(text: &str) -> bool {
    const LENGTH_MAX: usize = 64;
    let is_of_ids = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(is_of_ids)
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Station").field("queue", &self.queue()).finish_non_exhaustive()
    }
}
