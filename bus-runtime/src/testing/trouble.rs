//! What only a test with a broker and a clock of its own can do: move time, and make trouble on the line.

use std::time::Duration;

use super::link::{OnAck, OnPublish, Trouble};
use super::{BrokerFault, TestBus};
use crate::app::App;
use crate::seam;
use crate::transport::embedded::EmbeddedBroker;

impl TestBus {
    /// Starts an app on a broker of its own. The environment is not read, and no port is opened.
    ///
    /// The clock of the runtime must be paused for [`advance`](Self::advance): `#[tokio::test(start_paused = true)]`, or
    /// [`#[bus_runtime::test]`](macro@crate::test), which starts the bus as well.
    ///
    /// # Panics
    /// When the app does not start.
    ///
    /// # Cancel safety
    /// When the future is dropped, nothing runs.
    pub async fn start(app: App) -> Self {
        Self::on_embedded(app).await
    }

    /// Lets time pass: from one thing that is due to the next, and settles at each.
    ///
    /// # Panics
    /// When the clock is not paused, or the bus does not settle.
    ///
    /// # Cancel safety
    /// When the future is dropped, time has moved by some of it.
    pub async fn advance(&self, time: Duration) {
        // Panics where the clock is not paused; waiting would take the time it says otherwise.
        tokio::time::advance(Duration::ZERO).await;
        let until = seam::now() + time;
        self.settled().await;
        let left = until.saturating_duration_since(seam::now());
        // While nothing else can run the clock jumps to whatever is due next, so everything happens at its own time.
        self.unless_in_a_circle(seam::sleep(left)).await;
        self.settled().await;
    }

    /// The broker under it.
    #[must_use]
    pub fn broker(&self) -> &EmbeddedBroker {
        match &self.core.broker {
            Some(broker) => broker,
            None => unreachable!("virtual time needs a broker in this process"),
        }
    }

    /// Lets the next message that is published arrive twice, as when its confirm was lost and it was published again. Both have
    /// the same message id.
    pub fn duplicate_next(&self) -> BrokerFault {
        self.core.link.plan(Trouble::Publish(OnPublish::Twice))
    }

    /// Lets the broker refuse the next message that is published: [`Nacked`](crate::ErrorKind::Nacked).
    pub fn nack_next(&self) -> BrokerFault {
        self.core.link.plan(Trouble::Publish(OnPublish::Refused))
    }

    /// Lets the confirm of the next message that is published be lost: it has arrived, and whoever published it hears nothing until
    /// the publish timeout.
    pub fn lose_next_confirm(&self) -> BrokerFault {
        self.core.link.plan(Trouble::Publish(OnPublish::NoConfirm))
    }

    /// Lets the connection end after the next message was handled and before it is acknowledged, as when the worker is killed
    /// there: the message comes again, and so does everything else that was not acknowledged. What handlers and layers remember in
    /// memory stays.
    pub fn crash_before_ack(&self) -> BrokerFault {
        self.core.link.plan(Trouble::Acknowledge(OnAck::Crash))
    }

    /// Lets the acknowledgement of the next message be lost, so that the broker takes it for unhandled and delivers it again after
    /// this time. Until then it counts as in flight: [`settled`](Self::settled) waits for it.
    pub fn redeliver_late(&self, after: Duration) -> BrokerFault {
        self.core.link.plan(Trouble::Acknowledge(OnAck::Late(after)))
    }

    /// Hands messages to the workers in any order from now on, within what they fetch ahead. One seed is one order.
    pub fn reorder(&self, seed: u64) {
        self.core.link.reorder(seed);
    }

    /// Ends the connection to the broker now. Workers come back by themselves; what they had not acknowledged is delivered again.
    pub fn drop_connection(&self) {
        self.core.link.drop_connection();
    }
}
