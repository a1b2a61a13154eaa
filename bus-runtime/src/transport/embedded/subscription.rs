//! A consumer as its owner has it: the stream of messages, and the right to settle them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::connection::Connection;
use super::consumer::{ConsumerId, Delivered, Next};
use super::queue::{Holder, QueueId};
use super::slots::Key;
use super::state::State;
use super::{errors, shared::Shared};
use crate::error::Error;
use crate::seam;
use crate::transport::{BoxFuture, Consumer, Incoming, Lookout, SettleChannel, Settler, Standing, Verdict};

/// A consumer of the embedded broker. Dropping it gives back what it had not settled.
pub(super) struct Subscription {
    /// Keeps the connection open, for exclusive queues belong to it.
    connection: Arc<Connection>,
    id: ConsumerId,
    /// What settles the messages of the queue that the last one came from.
    desk: Option<Arc<Desk>>,
    closed: bool,
    next: NextIs,
}

/// When the next message is handed out: at once, but in a simulation.
enum NextIs {
    Undecided,
    Late(Pin<Box<Sleep>>),
    InTime,
}

impl Subscription {
    pub(super) fn new(connection: Arc<Connection>, id: ConsumerId) -> Self {
        Self { connection, id, desk: None, closed: false, next: NextIs::Undecided }
    }

    fn incoming(&mut self, delivered: Delivered) -> Incoming {
        let holder = Holder::Consumer(self.id);
        let desk = match &self.desk {
            Some(desk) if desk.queue == delivered.queue => Arc::clone(desk),
            // The first message, or the first one after the queue was declared anew.
            _ => Arc::clone(self.desk.insert(Arc::new(Desk {
                shared: Arc::clone(self.connection.shared()),
                queue: delivered.queue,
                holder,
            }))),
        };
        delivered.into_incoming(desk)
    }

    /// Waits while the next message is late.
    fn poll_lateness(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let (NextIs::Undecided, true) = (&self.next, self.has_next()) {
            self.next = match seam::lateness() {
                Some(late) => NextIs::Late(Box::pin(tokio::time::sleep_until(seam::now() + late))),
                None => NextIs::InTime,
            };
        }
        if let NextIs::Late(sleep) = &mut self.next {
            ready!(sleep.as_mut().poll(cx));
            self.next = NextIs::InTime;
        }
        Poll::Ready(())
    }

    fn has_next(&self) -> bool {
        let has_next =
            |state: &mut State| state.consumers.get(self.id).is_some_and(|known| !known.buffer.is_empty());
        seam::is_simulated() && self.connection.shared().with(has_next)
    }

    fn shut(&mut self) {
        if !self.closed {
            self.closed = true;
            drop(self.connection.shared().with(|state| state.close_consumer(self.id)));
        }
    }
}

impl Consumer for Subscription {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>> {
        ready!(self.poll_lateness(cx));
        // A queue that is never empty must not keep other tasks from running.
        let proceed = ready!(tokio::task::coop::poll_proceed(cx));
        let (next, _replaced) = self.connection.shared().with(|state| state.next_for(self.id, cx.waker()));
        let item = match next {
            Next::Message(delivered) => {
                self.next = NextIs::Undecided;
                Some(Ok(self.incoming(delivered)))
            }
            Next::Failed(error) => Some(Err(error)),
            Next::End => None,
            Next::Nothing => return Poll::Pending,
        };
        proceed.made_progress();
        Poll::Ready(item)
    }

    fn lookout(&self) -> Lookout {
        let (shared, id) = (Arc::clone(self.connection.shared()), self.id);
        Arc::new(move || match shared.with(|state| state.consumers.get(id).map(|known| known.attached)) {
            Some(true) => Standing::Receiving,
            Some(false) => Standing::Away("its queue was deleted, or it was cancelled".to_owned()),
            None => Standing::Away("it is closed".to_owned()),
        })
    }

    fn cancel(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.connection.shared().with(|state| state.cancel(self.id)) })
    }

    fn close(mut self: Box<Self>, _within: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.shut() })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shut();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Delivered {
    pub(super) fn into_incoming(self, desk: Arc<dyn SettleChannel>) -> Incoming {
        let Self { tag, envelope, redelivered, delivery_count, queue: _ } = self;
        let settler = Settler::new(desk, tag.to_tag());
        Incoming { envelope, redelivered, delivery_count, defect: None, settler }
    }
}

/// Where the messages of one queue are settled that one holder has.
pub(super) struct Desk {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: QueueId,
    pub(super) holder: Holder,
}

impl SettleChannel for Desk {
    fn settle(&self, tag: u64, verdict: Verdict) -> Result<(), Error> {
        let settled =
            self.shared.with(|state| state.settle(self.queue, self.holder, Key::from_tag(tag), verdict));
        settled.ok_or_else(errors::holder_gone)
    }
}

/// Where one message is settled that was taken off a queue without a consumer. It goes back when nobody has settled it.
#[derive(Debug)]
pub(super) struct Slip {
    pub(super) desk: Desk,
    pub(super) tag: Key,
}

impl SettleChannel for Slip {
    fn settle(&self, tag: u64, verdict: Verdict) -> Result<(), Error> {
        self.desk.settle(tag, verdict)
    }
}

impl Drop for Slip {
    fn drop(&mut self) {
        let Desk { shared, queue, holder } = &self.desk;
        // It is not there when it is settled, or when its connection has closed and put it back already.
        shared.with(|state| state.abandon(*queue, *holder, self.tag));
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("queue", &self.queue)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}
