//! A walk through a queue: it takes messages in portions, holds what it does not remove, and gives it back in order.
//!
//! A quorum queue delivers returned messages before all others, in the order in which they came back. So the order stays when
//! everything that came back earlier is taken again, and given back in order. RabbitMQ sorts what comes back with the end of a
//! channel, and does not sort what is refused message by message: each portion has a channel, and channels end in order.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use tokio::time::timeout;

use super::connection::REQUEST_TIMEOUT;
use super::consume::{Source, Subscription, incoming};
use super::declare;
use super::reply;
use super::settle::Settlements;
use crate::error::{Error, ErrorKind};
use crate::transport::{BoxFuture, Browser, Incoming};

/// Messages of the first portion, and of the largest: each is twice as large as the one before. One portion is in memory. The
/// first is well above what a replay has under way, which would have to wait for the broker after each message otherwise.
const PORTION: (u16, u16) = (128, 1024);
/// How long nothing must come before the queue is asked whether there is anything left.
const IDLE: Duration = Duration::from_millis(100);
/// How many times in a row it must have nothing left: the last messages may be on their way.
const EMPTY_LOOKS: u32 = 5;
/// How many times in a row nothing may come although there is something left: half a minute.
const IDLE_LOOKS_MAX: u32 = 300;

/// How often, and with which pauses, to look whether what was given back is there again.
const GIVE_BACK: (u32, Duration) = (400, Duration::from_millis(5));

/// A walk through a queue. Dropping it gives back what it holds, too.
pub(super) struct RabbitBrowser(Option<Walk>);

struct Walk {
    source: Source,
    /// What is still to be seen of what the queue held at the start.
    left: u64,
    seen: u64,
    /// Portions that are not taken from any more, oldest first.
    held: VecDeque<Subscription>,
    current: Option<Portion>,
    next_size: u16,
    /// Whether the last message had been handed out before.
    returned: bool,
    /// Deliveries of the latest held portion that came while it ended.
    arrived: VecDeque<Delivery>,
}

/// The portion that messages are taken from.
struct Portion {
    subscription: Subscription,
    size: u64,
    taken: u64,
}

impl Portion {
    /// Whether the broker sends no more: it has as many out as it may.
    fn is_used_up(&self) -> bool {
        self.taken >= self.size + self.subscription.settlements.count()
    }
}

impl RabbitBrowser {
    /// Notes how much there is to see.
    ///
    /// # Errors
    /// What the broker says.
    pub(super) async fn start(source: Source) -> Result<Self, Error> {
        let live = source.live().await?;
        let Some(state) = declare::inspect(&live, &source.queue).await? else {
            return Err(Error::new(ErrorKind::NotFound, format!("queue `{}` does not exist", source.queue)));
        };
        Ok(Self(Some(Walk {
            source,
            left: state.ready,
            seen: 0,
            held: VecDeque::new(),
            current: None,
            next_size: PORTION.0,
            returned: false,
            arrived: VecDeque::new(),
        })))
    }
}

impl Walk {
    async fn next(&mut self) -> Result<Option<Incoming>, Error> {
        let (mut idle, mut empty) = (0, 0);
        while self.left > 0 {
            if let (Some(delivery), Some(portion)) = (self.arrived.pop_front(), self.held.back()) {
                let settlements = Arc::clone(&portion.settlements);
                return self.see(delivery, &settlements).map(Some);
            }
            if self.current.as_ref().is_some_and(Portion::is_used_up) {
                self.end_portion().await;
                continue;
            }
            if self.current.is_none() {
                self.begin_portion().await?;
            }
            let Some(portion) = &mut self.current else { continue };
            match timeout(IDLE, portion.subscription.deliveries.next()).await {
                Ok(Some(Ok(delivery))) => {
                    portion.taken += 1;
                    let settlements = Arc::clone(&portion.subscription.settlements);
                    return self.see(delivery, &settlements).map(Some);
                }
                Ok(Some(Err(error))) => {
                    let live = self.source.live().await?;
                    return Err(reply::lost(&error, &self.source.request(), &live.peer));
                }
                // The queue was deleted.
                Ok(None) => self.left = 0,
                // Others take messages, too, or they expire: there are fewer than at the start.
                Err(_) => {
                    idle += 1;
                    empty = if self.ready().await? == 0 { empty + 1 } else { 0 };
                    if empty == EMPTY_LOOKS {
                        self.left = 0;
                    } else if idle == IDLE_LOOKS_MAX {
                        return Err(self.not_ours());
                    }
                }
            }
        }
        Ok(None)
    }

    fn see(&mut self, delivery: Delivery, settlements: &Arc<Settlements>) -> Result<Incoming, Error> {
        self.left -= 1;
        self.seen += 1;
        self.returned = delivery.redelivered;
        incoming(delivery, settlements)
    }

    async fn ready(&self) -> Result<u64, Error> {
        let live = self.source.live().await?;
        Ok(declare::inspect(&live, &self.source.queue).await?.map_or(0, |state| state.ready))
    }

    fn not_ours(&self) -> Error {
        let text =
            format!("queue `{}` holds messages, and the broker does not hand them out", self.source.queue);
        Error::new(ErrorKind::TimedOut, text).with_help("somebody else may be its single active consumer")
    }

    async fn begin_portion(&mut self) -> Result<(), Error> {
        let size = self.next_size.min(u16::try_from(self.left).unwrap_or(u16::MAX));
        self.next_size = self.next_size.saturating_mul(2).min(PORTION.1);
        self.source.options.prefetch = size;
        let subscription = self.source.subscribe().await?;
        self.current = Some(Portion { subscription, size: size.into(), taken: 0 });
        Ok(())
    }

    /// Takes no more over this channel, and keeps on it what is not settled.
    async fn end_portion(&mut self) {
        let Some(Portion { mut subscription, .. }) = self.current.take() else { return };
        subscription.cancel(REQUEST_TIMEOUT).await;
        while let Some(Ok(delivery)) = subscription.deliveries.next().await {
            self.arrived.push_back(delivery);
        }
        self.held.push_back(subscription);
    }

    /// How many messages are to be given back.
    fn held(&self) -> u64 {
        let current = self.current.iter().map(|portion| portion.subscription.settlements.count());
        let settled: u64 = self.held.iter().map(|portion| portion.settlements.count()).chain(current).sum();
        (self.seen + self.arrived.len() as u64).saturating_sub(settled)
    }

    /// Gives back what is held, together with everything that came back earlier: that stands before all else.
    async fn give_back(mut self) -> Result<(), Error> {
        let taken = loop {
            self.end_portion().await;
            if let Some(last) = self.arrived.back() {
                self.returned = last.redelivered;
                let arrived = self.arrived.len() as u64;
                (self.seen, self.left) = (self.seen + arrived, self.left.saturating_sub(arrived));
                self.arrived.clear();
            }
            if self.held() == 0 || !self.returned {
                break Ok(());
            }
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.end_portion().await;
        let (source, held) = (self.source.clone(), self.held());
        self.end().await;
        taken?;
        is_back(&source, held).await
    }

    /// Ends the channels, one after the other.
    async fn end(self) {
        let current = self.current.map(|portion| portion.subscription);
        for portion in self.held.into_iter().chain(current) {
            portion.close(REQUEST_TIMEOUT).await;
        }
    }
}

/// Waits until the broker has taken so many messages back: it does so some time after their channel has ended. Others may take
/// them at once, so it does not wait for long.
async fn is_back(source: &Source, held: u64) -> Result<(), Error> {
    let (looks, pause) = GIVE_BACK;
    for _ in 0..looks {
        let live = source.live().await?;
        match declare::inspect(&live, &source.queue).await? {
            Some(state) if state.ready < held => tokio::time::sleep(pause).await,
            _ => break,
        }
    }
    Ok(())
}

impl Browser for RabbitBrowser {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Incoming>, Error>> {
        Box::pin(async {
            match &mut self.0 {
                Some(walk) => walk.next().await,
                None => Ok(None),
            }
        })
    }

    fn close(mut self: Box<Self>) -> BoxFuture<'static, Result<(), Error>> {
        let walk = self.0.take();
        Box::pin(async move {
            match walk {
                Some(walk) => walk.give_back().await,
                None => Ok(()),
            }
        })
    }
}

/// Settlers keep the channels alive, so they have to be closed for what is not settled to go back.
impl Drop for RabbitBrowser {
    fn drop(&mut self) {
        let Some(walk) = self.0.take() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            crate::seam::spawn("rabbitmq-browser-close", walk.end());
        }
    }
}

impl fmt::Debug for RabbitBrowser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let walk = self.0.as_ref();
        f.debug_struct("RabbitBrowser")
            .field("queue", &walk.map(|walk| &walk.source.queue))
            .field("left", &walk.map(|walk| walk.left))
            .finish_non_exhaustive()
    }
}
