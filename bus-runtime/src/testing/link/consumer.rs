//! A consumer behind the link: it survives a lost connection, and its acknowledgements can be lost.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;

use super::faults::OnAck;
use super::{Link, dropped, lock};
use crate::envelope::Envelope;
use crate::error::Error;
use crate::names::QueueName;
use crate::seam;
use crate::transport::{
    BoxFuture, ConsumeOptions, Consumer, Incoming, Lookout, SettleChannel, Settler, Standing, Transport,
    Verdict,
};

/// One consumer, over all its connections.
pub(super) struct Slot {
    queue: QueueName,
    options: ConsumeOptions,
    state: Mutex<State>,
}

struct State {
    /// Of the connection of now; gone when its queue is, or when it is closed.
    consumer: Option<Box<dyn Consumer>>,
    /// What has come and was not handed over yet.
    fetched: Vec<Incoming>,
    /// What is to be told about a lost connection.
    lost: Option<Error>,
    waker: Option<Waker>,
    cancelled: bool,
}

impl Slot {
    pub(super) fn new(queue: QueueName, options: ConsumeOptions, consumer: Box<dyn Consumer>) -> Self {
        let state = State {
            consumer: Some(consumer),
            fetched: Vec::new(),
            lost: None,
            waker: None,
            cancelled: false,
        };
        Self { queue, options, state: Mutex::new(state) }
    }

    /// Consumes over another connection.
    pub(super) fn come_back(&self, connection: &dyn Transport) {
        let mut state = self.lock();
        state.fetched.clear();
        state.consumer = None;
        if !state.cancelled {
            // The embedded broker answers at once.
            let consumer = connection.consume(&self.queue, self.options.clone()).now_or_never();
            state.consumer = consumer.and_then(Result::ok);
            state.lost = Some(dropped());
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A consumer as the app has it.
pub(super) struct Linked {
    slot: Arc<Slot>,
    link: Arc<Link>,
}

impl Linked {
    pub(super) fn new(slot: Arc<Slot>, link: Arc<Link>) -> Self {
        Self { slot, link }
    }

    fn handed_over(&self, incoming: Incoming) -> Incoming {
        let Incoming { envelope, redelivered, delivery_count, defect, settler } = incoming;
        let slip = Slip {
            settler: Mutex::new(Some(settler)),
            envelope: Arc::clone(&envelope),
            link: Arc::clone(&self.link),
        };
        let settler = Settler::new(Arc::new(slip), 0);
        Incoming { envelope, redelivered, delivery_count, defect, settler }
    }
}

impl Consumer for Linked {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>> {
        let mut state = self.slot.lock();
        if let Some(error) = state.lost.take() {
            return Poll::Ready(Some(Err(error)));
        }
        state.waker = Some(cx.waker().clone());
        let mut order = self.link.faults.order();
        let Some(dice) = order.as_mut() else {
            drop(order);
            return state.next(cx).map(|next| Some(next?.map(|incoming| self.handed_over(incoming))));
        };
        // Everything that is there, and then any of it.
        let end = loop {
            match state.poll(cx) {
                Poll::Ready(Some(Ok(incoming))) => state.fetched.push(incoming),
                other => break other,
            }
        };
        if state.fetched.is_empty() {
            return end;
        }
        let any = dice.below(state.fetched.len());
        let incoming = state.fetched.swap_remove(any);
        Poll::Ready(Some(Ok(self.handed_over(incoming))))
    }

    fn lookout(&self) -> Lookout {
        let slot = Arc::clone(&self.slot);
        Arc::new(move || match &slot.lock().consumer {
            Some(consumer) => (consumer.lookout())(),
            None => Standing::Away("its queue is gone, or it is closed".to_owned()),
        })
    }

    fn cancel(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut state = self.slot.lock();
            state.cancelled = true;
            if let Some(consumer) = &mut state.consumer {
                // The embedded broker answers at once.
                let _ = consumer.cancel().now_or_never();
            }
        })
    }

    fn close(self: Box<Self>, within: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let consumer = {
                let mut state = self.slot.lock();
                state.cancelled = true;
                state.fetched.clear();
                state.consumer.take()
            };
            if let Some(consumer) = consumer {
                consumer.close(within).await;
            }
        })
    }
}

impl State {
    /// What was fetched first, then what comes.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>> {
        match self.fetched.is_empty() {
            false => Poll::Ready(Some(Ok(self.fetched.remove(0)))),
            true => self.poll(cx),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>> {
        match &mut self.consumer {
            Some(consumer) => consumer.poll_next(cx),
            None if self.cancelled => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linked").field("queue", &self.slot.queue).finish_non_exhaustive()
    }
}

/// Where one message is settled, if its acknowledgement is not lost.
struct Slip {
    settler: Mutex<Option<Settler>>,
    envelope: Arc<Envelope>,
    link: Arc<Link>,
}

impl SettleChannel for Slip {
    fn settle(&self, _tag: u64, verdict: Verdict) -> Result<(), Error> {
        let settler = lock(&self.settler).take().ok_or_else(dropped)?;
        let fault = match verdict {
            Verdict::Ack => self.link.faults.of_ack(&self.envelope),
            Verdict::Requeue | Verdict::Reject => None,
        };
        let Some(fault) = fault else { return settler.settle(verdict) };
        self.link.journal.done(fault.to_string(), self.envelope.properties.message_id.as_deref());
        match fault {
            OnAck::Crash => {
                self.link.drop_connection();
                Err(dropped())
            }
            OnAck::Late(time) => {
                seam::spawn("late redelivery", async move {
                    seam::sleep(time).await;
                    // A lost connection has brought it back sooner.
                    let _ = settler.settle(Verdict::Requeue);
                });
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slip").finish_non_exhaustive()
    }
}
