//! Consumers that come back by themselves.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::time::{Instant, timeout, timeout_at};

use super::backoff::Backoff;
use super::connection::{Link, Live, REQUEST_TIMEOUT};
use super::convert::{short, to_envelope};
use super::declare::{self, ask};
use super::declared::Declared;
use super::idleness::Idleness;
use super::opening::Opening;
use super::place::Place;
use super::reply::{self, Request};
use super::settle::Settlements;
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::topology::Topology;
use crate::transport::{BoxFuture, ConsumeOptions, Consumer, Incoming, Lookout, Settler};

/// The header in which a quorum queue tells how often it has delivered a message before.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// So many commands that are not applied yet does a channel send to a quorum queue; it holds the others back.
const HELD_BACK_ABOVE: u64 = 32;
/// How long the settlements that are held back get: some twenty times what it takes to apply a command.
const HELD_BACK_FOR: Duration = Duration::from_millis(200);

/// How long a consumer whose queue was deleted waits for somebody to declare the queue anew, before it does so itself: who
/// deletes a queue to change its arguments comes first.
const REVIVAL_AFTER: Duration = Duration::from_millis(500);

/// What a consumer needs to come back.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) link: Arc<Link>,
    pub(super) declared: Arc<Declared>,
    pub(super) queue: QueueName,
    pub(super) options: ConsumeOptions,
    /// After how long without a message it is consumed anew.
    pub(super) renewed_after: Duration,
}

/// A consumer on a channel of its own.
pub(super) struct Subscription {
    live: Arc<Live>,
    pub(super) settlements: Arc<Settlements>,
    pub(super) deliveries: lapin::Consumer,
    since: Instant,
    /// How many messages were settled when the consumer was cancelled.
    settled_at_cancel: Option<u64>,
    /// It is cancelled, and the broker has not said so: the end of what had arrived will not be marked.
    is_unheard: bool,
}

impl Source {
    /// The connection, as soon as it stands.
    pub(super) async fn live(&self) -> Result<Arc<Live>, Error> {
        self.link.wait(Instant::now() + REQUEST_TIMEOUT).await
    }

    pub(super) fn request(&self) -> Request {
        Request::new(format!("consume queue `{}`", self.queue), "read")
    }

    /// Starts to consume on a new channel.
    ///
    /// # Cancel safety
    /// Safe to cancel: the channel is closed, and what it was handed goes back.
    pub(super) async fn subscribe(&self) -> Result<Subscription, Error> {
        let live = self.live().await?;
        let channel = live.channel().await?;
        let opening = Opening::of(channel.clone());
        let request = self.request();
        ask(&live, &request, channel.basic_qos(self.options.prefetch, BasicQosOptions::default())).await?;
        let queue = short(&self.queue, "name of a queue")?;
        let tag = short(&self.options.tag, "tag of a consumer")?;
        let consuming =
            channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default());
        let deliveries = ask(&live, &request, consuming).await?;
        opening.done();
        let settlements = Arc::new(Settlements::new(channel, &live));
        Ok(Subscription {
            live,
            settlements,
            deliveries,
            since: Instant::now(),
            settled_at_cancel: None,
            is_unheard: false,
        })
    }

    /// Comes back; after each failure the next attempt waits longer. Yields the failure when its kind is news.
    async fn come_back(self, mut attempts: Attempts) -> (Result<Subscription, Error>, Attempts) {
        loop {
            let live = match self.link.wait_for_ever().await {
                Ok(live) => live,
                Err(error) => return (Err(error), attempts),
            };
            // A connection that is new has made its pauses. The others are for what was lost, or has failed, on this one.
            if attempts.told.is_some() || std::ptr::eq(attempts.lost_on.as_ptr(), Arc::as_ptr(&live)) {
                tokio::time::sleep(attempts.backoff.next()).await;
            }
            let error = match self.subscribe_anew(&attempts.lost_on).await {
                Ok(subscription) => {
                    attempts.told = None;
                    attempts.lost_on = Weak::new();
                    tracing::info!(queue = %self.queue, "consuming again");
                    return (Ok(subscription), attempts);
                }
                Err(error) => error,
            };
            attempts.lost_on = Arc::downgrade(&live);
            let is_news = attempts.told != Some(error.kind());
            attempts.told = Some(error.kind());
            if is_news && error.kind() != ErrorKind::Disconnected {
                tracing::warn!(queue = %self.queue, code = error.kind().code(), %error, help = error.help(), "cannot consume");
                return (Err(error), attempts);
            }
        }
    }

    /// Whether it can be consumed anew at any time: a queue that goes with its last consumer, or with its connection, is left
    /// alone, and so is one of others, of which nothing is known.
    fn is_renewable(&self) -> bool {
        let around = self.declared.around(&self.queue);
        around.queues.iter().any(|queue| queue.durable && !queue.exclusive && !queue.auto_delete)
    }

    /// Consumes anew what has been idle.
    async fn renew(self, idle: Subscription, place: Place) -> (Result<Subscription, Error>, Attempts) {
        idle.close(REQUEST_TIMEOUT).await;
        match self.subscribe().await {
            Ok(subscription) => (Ok(subscription), Attempts::default()),
            Err(error) => {
                place.leaves(error.to_string());
                self.come_back(Attempts::default()).await
            }
        }
    }

    /// Consumes; a queue that is gone is declared as it was, then consumed.
    async fn subscribe_anew(&self, lost_on: &Weak<Live>) -> Result<Subscription, Error> {
        let around = self.declared.around(&self.queue);
        let subscription = match self.subscribe().await {
            Err(error) if is_gone(&error) && !around.queues.is_empty() => {
                tokio::time::sleep(REVIVAL_AFTER).await;
                match self.subscribe().await {
                    Err(error) if is_gone(&error) => {
                        declare::declare(&*self.live().await?, &around).await?;
                        return self.subscribe().await;
                    }
                    subscribed => subscribed?,
                }
            }
            subscribed => subscribed?,
        };
        // A new connection has declared everything already. On the same one, somebody may have deleted the queue and made
        // another one: without its bindings, and perhaps with other arguments.
        if std::ptr::eq(lost_on.as_ptr(), Arc::as_ptr(&subscription.live)) {
            self.mend(&subscription.live, around).await;
        }
        Ok(subscription)
    }

    /// Declares what belongs to a queue that is there. What is refused is told: the consumer works all the same.
    async fn mend(&self, live: &Live, around: Topology) {
        let around_it = Topology { queues: Vec::new(), ..around.clone() };
        for part in [around, around_it] {
            match declare::declare(live, &part).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(queue = %self.queue, code = error.kind().code(), %error, help = error.help(), "the queue is not as it was declared");
                }
            }
        }
    }
}

/// The queue does not exist, or not for us.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ExclusiveQueue)
}

#[derive(Debug, Default)]
struct Attempts {
    backoff: Backoff,
    /// The connection on which the consumer was lost.
    lost_on: Weak<Live>,
    told: Option<ErrorKind>,
}

type ComingBack = BoxFuture<'static, (Result<Subscription, Error>, Attempts)>;

/// A consumer that comes back by itself.
pub(super) struct RabbitConsumer {
    source: Source,
    state: State,
    /// While it receives: for the next loss.
    attempts: Attempts,
    place: Place,
    /// None for a queue that cannot be consumed anew at any time.
    idleness: Option<Idleness>,
}

enum State {
    /// It receives.
    Open(Subscription),
    /// It was lost, and is on its way back.
    Away(ComingBack),
    /// It is cancelled: what had arrived already is still to be handed over.
    Draining(Subscription),
    /// All of that is handed over, and may still be settled.
    Drained(Subscription),
    Ended,
}

impl RabbitConsumer {
    /// Starts to consume.
    ///
    /// # Errors
    /// What the broker says.
    pub(super) async fn start(source: Source) -> Result<Self, Error> {
        let subscription = source.subscribe().await?;
        let place = Place::on(subscription.settlements.channel().clone());
        source.declared.consumed(&source.queue, &place);
        let idleness = source.is_renewable().then(|| Idleness::new(source.renewed_after));
        Ok(Self { source, state: State::Open(subscription), attempts: Attempts::default(), place, idleness })
    }

    fn go_away(&mut self, attempts: Attempts) {
        self.state = State::Away(Box::pin(self.source.clone().come_back(attempts)));
    }

    /// Starts to consume anew, and tells nobody: nothing is lost, and nothing has to wait.
    fn renew(&mut self) {
        if let Some(idle) = self.take_subscription() {
            tracing::debug!(queue = %self.source.queue, "nothing has come for long: consuming anew");
            self.place.moves();
            self.state = State::Away(Box::pin(self.source.clone().renew(idle, self.place.clone())));
        }
    }

    /// Tells about a loss and starts to come back.
    fn lost(&mut self, error: Error) -> Error {
        tracing::warn!(queue = %self.source.queue, code = error.kind().code(), %error, help = error.help(), "lost the consumer");
        self.place.leaves(error.to_string());
        let mut attempts = std::mem::take(&mut self.attempts);
        if let Some(subscription) = self.subscription() {
            attempts.lost_on = Arc::downgrade(&subscription.live);
            attempts.backoff.stood_for(subscription.since.elapsed());
        }
        self.go_away(attempts);
        error
    }

    fn cancelled_by_broker(&self) -> Error {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "RabbitMQ cancelled the consumer of queue `{}`: it was deleted, or its node went away",
                self.source.queue
            ),
        )
    }

    fn subscription(&self) -> Option<&Subscription> {
        match &self.state {
            State::Open(subscription) | State::Draining(subscription) | State::Drained(subscription) => {
                Some(subscription)
            }
            State::Away(_) | State::Ended => None,
        }
    }

    fn take_subscription(&mut self) -> Option<Subscription> {
        match self.take_state() {
            State::Open(subscription) | State::Draining(subscription) | State::Drained(subscription) => {
                Some(subscription)
            }
            State::Away(_) | State::Ended => None,
        }
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Ended)
    }
}

impl Consumer for RabbitConsumer {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>> {
        loop {
            match &mut self.state {
                State::Open(subscription) => {
                    let Poll::Ready(next) = Pin::new(&mut subscription.deliveries).poll_next(cx) else {
                        let idleness = self.idleness.as_mut();
                        let idle = idleness.map(|idleness| idleness.poll(cx, &subscription.settlements));
                        if idle.is_none_or(|idle| idle.is_pending()) {
                            return Poll::Pending;
                        }
                        self.renew();
                        continue;
                    };
                    match next {
                        // What it had before the loss will be delivered again: handling it now would be in vain.
                        Some(Ok(_)) if !subscription.stands() => {}
                        Some(Ok(delivery)) => {
                            return Poll::Ready(Some(incoming(delivery, &subscription.settlements)));
                        }
                        Some(Err(error)) => {
                            let error = reply::lost(&error, &self.source.request(), &subscription.live.peer);
                            return Poll::Ready(Some(Err(self.lost(error))));
                        }
                        None => {
                            let error = self.cancelled_by_broker();
                            return Poll::Ready(Some(Err(self.lost(error))));
                        }
                    }
                }
                State::Away(coming_back) => match ready!(coming_back.as_mut().poll(cx)) {
                    (Ok(subscription), attempts) => {
                        self.attempts = attempts;
                        self.place.moves_to(subscription.settlements.channel().clone());
                        self.idleness.iter_mut().for_each(Idleness::begin);
                        self.state = State::Open(subscription);
                    }
                    (Err(error), _) if error.kind() == ErrorKind::Closed => self.state = State::Ended,
                    (Err(error), attempts) => {
                        self.place.leaves(error.to_string());
                        self.go_away(attempts);
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Draining(subscription) => match Pin::new(&mut subscription.deliveries).poll_next(cx) {
                    Poll::Ready(Some(Ok(delivery))) => {
                        return Poll::Ready(Some(incoming(delivery, &subscription.settlements)));
                    }
                    Poll::Pending if !subscription.is_unheard => return Poll::Pending,
                    Poll::Ready(Some(Err(_)) | None) | Poll::Pending => {
                        if let State::Draining(subscription) = self.take_state() {
                            self.state = State::Drained(subscription);
                        }
                    }
                },
                State::Drained(_) | State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn lookout(&self) -> Lookout {
        let place = self.place.clone();
        Arc::new(move || place.standing())
    }

    fn cancel(&mut self) -> BoxFuture<'_, ()> {
        self.place.leaves("it was cancelled");
        self.state = match self.take_state() {
            State::Open(subscription) => State::Draining(subscription),
            State::Away(_) => State::Ended,
            other => other,
        };
        Box::pin(async move {
            if let State::Draining(subscription) = &mut self.state
                && subscription.settled_at_cancel.is_none()
            {
                subscription.cancel(REQUEST_TIMEOUT).await;
            }
        })
    }

    fn close(mut self: Box<Self>, within: Duration) -> BoxFuture<'static, ()> {
        let subscription = self.take_subscription();
        Box::pin(async move {
            if let Some(subscription) = subscription {
                subscription.close(within).await;
            }
        })
    }
}

impl Subscription {
    fn stands(&self) -> bool {
        self.settlements.channel().status().connected()
    }

    pub(super) async fn cancel(&mut self, within: Duration) {
        self.settled_at_cancel = Some(self.settlements.count());
        let cancelling =
            self.settlements.channel().basic_cancel(self.deliveries.tag(), BasicCancelOptions::default());
        self.is_unheard = true;
        if let Ok(Ok(())) = timeout(within, cancelling).await {
            self.is_unheard = false;
        }
    }

    /// Closes the channel. The settlements before it in the queue of the connection are written first, and what is not settled
    /// goes back to the queue.
    ///
    /// A quorum queue forgets settlements that come right before the end of their channel: RabbitMQ passes 32 of them on and
    /// holds the others back until the first are applied. Cancelling waits for that; settlements after it get a moment.
    pub(super) async fn close(mut self, within: Duration) {
        if !self.stands() {
            return;
        }
        let deadline = Instant::now() + within;
        match self.settled_at_cancel {
            None => self.cancel(within).await,
            Some(before) if self.settlements.count() - before > HELD_BACK_ABOVE => {
                tokio::time::sleep(HELD_BACK_FOR.min(within / 2)).await;
            }
            Some(_) => {}
        }
        let _ = timeout_at(deadline, self.settlements.channel().close(200, "closed".into())).await;
    }
}

/// Settlers keep the channel alive, so it has to be closed for what is not settled to go back.
impl Drop for RabbitConsumer {
    fn drop(&mut self) {
        self.place.leaves("it is closed");
        let Some(subscription) = self.take_subscription() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            crate::seam::spawn("rabbitmq-consumer-close", subscription.close(REQUEST_TIMEOUT));
        }
    }
}

impl fmt::Debug for RabbitConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitConsumer")
            .field("queue", &self.source.queue)
            .field("receives", &self.subscription().is_some())
            .finish_non_exhaustive()
    }
}

/// A delivered message, with the right to settle it where it was delivered.
pub(super) fn incoming(
    delivery: lapin::message::Delivery,
    settlements: &Arc<Settlements>,
) -> Result<Incoming, Error> {
    let (tag, redelivered) = (delivery.delivery_tag, delivery.redelivered);
    let envelope = to_envelope(delivery)?;
    settlements.delivered_up_to(tag);
    let delivery_count = envelope.headers.int(DELIVERY_COUNT).and_then(|count| u32::try_from(count).ok());
    let (defect, settler) = (settlements.defect(tag), Settler::new(settlements.clone(), tag));
    Ok(Incoming { envelope, redelivered, delivery_count, defect, settler })
}
