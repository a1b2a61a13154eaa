//! Settles messages on the channel that delivered them, and on no other.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};

use super::connection::{Defects, Live};
use crate::error::{Error, ErrorKind};
use crate::transport::{SettleChannel, Verdict};

/// The channel that delivered messages. It is bound to one lapin channel for life: a delivery tag means something there only,
/// and lapin refuses to send on a channel that has ended.
pub(super) struct Settlements {
    channel: Channel,
    defects: Arc<Defects>,
    count: AtomicU64,
    delivered: AtomicU64,
}

impl Settlements {
    pub(super) fn new(channel: Channel, live: &Live) -> Self {
        Self {
            channel,
            defects: live.defects.clone(),
            count: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
        }
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// What was wrong with a message of this channel as it came over the wire.
    pub(super) fn defect(&self, tag: u64) -> Option<String> {
        self.defects.take(self.channel.id(), tag)
    }

    /// A message has been taken. Those of a channel are numbered from 1 on.
    pub(super) fn delivered_up_to(&self, tag: u64) {
        self.delivered.fetch_max(tag, Ordering::Relaxed);
    }

    /// How many messages have been taken.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// How many messages have been settled.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl SettleChannel for Settlements {
    fn settle(&self, tag: u64, verdict: Verdict) -> Result<(), Error> {
        let channel = &self.channel;
        self.count.fetch_add(1, Ordering::Relaxed);
        let sent = match verdict {
            Verdict::Ack => queued(channel.basic_ack(tag, BasicAckOptions { multiple: false })),
            Verdict::Requeue => {
                queued(channel.basic_nack(tag, BasicNackOptions { multiple: false, requeue: true }))
            }
            Verdict::Reject => queued(channel.basic_reject(tag, BasicRejectOptions { requeue: false })),
        };
        sent.map_err(|error| {
            Error::new(
                ErrorKind::Disconnected,
                "the channel that delivered the message is gone: RabbitMQ will deliver it again",
            )
            .with_source(error)
        })
    }
}

/// Polls once. The first poll puts the frame into the queue of the connection, in order and without waiting; what is left of
/// the future only waits until the frame is on the wire. Closing the channel comes after it in the same queue. The queue
/// cannot grow without bound: the broker sends nothing beyond the prefetch limit until it has read the settlements.
fn queued(sending: impl Future<Output = lapin::Result<()>>) -> lapin::Result<()> {
    match pin!(sending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(sent) => sent,
        Poll::Pending => Ok(()),
    }
}

impl fmt::Debug for Settlements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settlements").field("channel", &self.channel.id()).finish()
    }
}
