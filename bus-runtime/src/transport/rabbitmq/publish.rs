//! Publishing with confirms: written in the order of the calls, confirmed in any order, within a bounded window.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::ShortString;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::connection::Link;
use super::convert::{short, to_properties};
use super::reply;
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::transport::{Confirmation, wire};

mod channel;
mod in_flight;
mod mend;
mod task;

pub(super) use self::mend::Mender;

/// How many publishes may be under way. Larger windows are not faster, as lapin goes through all of them for each confirm.
const IN_FLIGHT_MAX: usize = 1024;
/// How much the bodies of all publishes under way may take together, in KiB: lapin copies each of them.
const IN_FLIGHT_KIB_MAX: usize = 256 * 1024;
/// How often one message is published again because what it needs to arrive had been taken away.
const MENDS_MAX: usize = 2;

/// The way into the task that publishes.
#[derive(Clone, Debug)]
pub(super) struct Publishing {
    link: Arc<Link>,
    jobs: mpsc::Sender<Job>,
    window: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    closed: Arc<AtomicBool>,
    closing: Arc<Notify>,
    limit: Duration,
    mender: Arc<Mender>,
}

/// One message to publish.
#[derive(Debug)]
struct Job {
    message: Message,
    deadline: Instant,
    /// It was written at least once, so that the broker may have it.
    was_written: bool,
    /// Who waits for the outcome; nobody any more after the deadline.
    reply: Option<oneshot::Sender<Result<Confirmation, Error>>>,
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// A message in the terms of the wire.
#[derive(Debug)]
struct Message {
    exchange: ShortString,
    routing_key: ShortString,
    properties: BasicProperties,
    envelope: Arc<Envelope>,
}

impl Message {
    /// Refuses what would cost the channel or the connection.
    fn new(envelope: Arc<Envelope>, frame_max: usize) -> Result<Self, Error> {
        wire::check(&envelope, frame_max)?;
        Ok(Self {
            exchange: short(&envelope.exchange, "name of an exchange")?,
            routing_key: short(&envelope.routing_key, "routing key")?,
            properties: to_properties(&envelope)?,
            envelope,
        })
    }

    fn words(&self) -> String {
        format!("publish `{}` to exchange `{}`", self.routing_key, self.exchange)
    }
}

impl Job {
    fn end(&mut self, outcome: Result<Confirmation, Error>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(outcome);
        }
    }

    /// Somebody still waits for the outcome.
    fn is_wanted(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    fn too_late(&self, link: &Link) -> Error {
        let what = self.message.words();
        if self.was_written {
            return Error::new(
                ErrorKind::TimedOut,
                format!(
                    "RabbitMQ did not confirm in time the request to {what}: it may have the message or not"
                ),
            )
            .with_help("publish it again with the same message id");
        }
        match link.live().and_then(|live| live.blocked()) {
            Some(reason) => Error::new(
                ErrorKind::TimedOut,
                format!("could not {what} in time: RabbitMQ takes no publishes for now ({reason})"),
            )
            .with_help("free memory or disk on the broker; the message was not sent"),
            None => link.still_down(),
        }
    }
}

impl Publishing {
    pub(super) fn start(link: Arc<Link>, mender: Arc<Mender>, limit: Duration) -> Self {
        let (jobs, incoming) = mpsc::channel(IN_FLIGHT_MAX);
        let closing = Arc::new(Notify::new());
        let task = task::Task::new(link.clone(), incoming, Arc::clone(&closing));
        crate::seam::spawn("rabbitmq-publish", task.run());
        Self {
            link,
            jobs,
            window: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            bytes: Arc::new(Semaphore::new(IN_FLIGHT_KIB_MAX)),
            closed: Arc::new(AtomicBool::new(false)),
            closing,
            limit,
            mender,
        }
    }

    /// Publishes a message and waits for the confirm; once more, or twice, when what it needs to arrive had been taken away.
    pub(super) async fn publish(self, envelope: Arc<Envelope>) -> Result<Confirmation, Error> {
        let deadline = Instant::now() + self.limit;
        for _ in 0..MENDS_MAX {
            let published_at = Instant::now();
            let outcome = self.publish_once(envelope.clone(), deadline).await;
            if !self.mender.mends(&envelope, published_at, &outcome).await {
                return outcome;
            }
        }
        self.publish_once(envelope, deadline).await
    }

    /// Both semaphores are fair, so that the order of the first polls is kept.
    async fn publish_once(&self, envelope: Arc<Envelope>, deadline: Instant) -> Result<Confirmation, Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(reply::closed());
        }
        let frame_max = self.link.live().map_or(wire::FRAME_BYTES_MAX, |live| live.frame_max());
        let message = Message::new(envelope, frame_max)?;
        let kib = u32::try_from(message.envelope.body.len() / 1024).unwrap_or(u32::MAX);
        let room = async {
            let one = self.window.clone().acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>((one, self.bytes.clone().acquire_many_owned(kib).await?))
        };
        // Unconstrained, because a future that tokio makes yield before it is in the line would be overtaken.
        let room = match timeout_at(deadline, tokio::task::unconstrained(room)).await {
            Ok(Ok(room)) => room,
            Ok(Err(_)) => return Err(reply::closed()),
            Err(_) => return Err(self.no_room(&message)),
        };
        let (reply, outcome) = oneshot::channel();
        let job = Job { message, deadline, was_written: false, reply: Some(reply), _room: room };
        // There is room for as many jobs as there are permits.
        self.jobs.try_send(job).map_err(|_| reply::closed())?;
        outcome.await.unwrap_or_else(|_| Err(reply::closed()))
    }

    fn no_room(&self, message: &Message) -> Error {
        match self.link.live() {
            Some(_) => Error::new(
                ErrorKind::TimedOut,
                format!("could not {} in time: {IN_FLIGHT_MAX} publishes are under way", message.words()),
            ),
            None => self.link.still_down(),
        }
    }

    /// Takes no more, and waits until what is under way has ended.
    pub(super) async fn close(&self, deadline: Instant) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_one();
        let all = u32::try_from(IN_FLIGHT_MAX).unwrap_or(u32::MAX);
        let _ = timeout_at(deadline, self.window.acquire_many(all)).await;
        self.window.close();
    }
}
