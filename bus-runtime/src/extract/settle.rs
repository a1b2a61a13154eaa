//! The right to acknowledge early, as an argument.

use std::fmt;
use std::sync::Arc;

use super::FromDelivery;
use crate::delivery::Delivery;
use crate::error::Error;
use crate::outcome::Rejection;
use crate::scope::Scope;

/// Acknowledges the message before the handler has ended: for work that must not be done twice, or takes longer than the broker
/// waits.
///
/// ```
/// use bus_runtime::prelude::*;
///
/// #[audit("report.make", timeout = "2h")]
/// async fn report(settle: Settle, bus: Publisher) -> Result<(), BoxError> {
///     bus.react("report.begun", &()).await?;
///     settle.ack().await?;
///     // The message is gone. Whatever happens from here on, nobody makes this report again.
///     Ok(())
/// }
/// ```
///
/// A message has one settlement. After [`ack`](Self::ack) the handler goes on, and what becomes of it changes nothing for the
/// message: an error, a panic or a timeout is logged and counted as discarded, and a worker that stops loses the rest of the work.
/// A command is answered when its handler ends, all the same.
///
/// To refuse a message early there is nothing to call: [`reject`](crate::reject), [`requeue`](crate::requeue) and
/// [`retry`](crate::retry) are what the handler returns, so its body ends there.
///
/// A message for several handlers of one queue, or for several instances, is gone when each of them has acknowledged it, or when
/// all have ended.
#[must_use = "the message is acknowledged by calling `ack`"]
pub struct Settle(Arc<Scope>);

impl Settle {
    /// Sends what the handler has published so far, waits for the confirms, and acknowledges the message.
    ///
    /// # Errors
    /// What keeps a published message from being confirmed: the message is not acknowledged then, and what was published is held
    /// until the handler has succeeded, as ever.
    /// [`Disconnected`](crate::ErrorKind::Disconnected) when the connection that delivered the message is gone: the broker delivers
    /// it again, so there is no use in going on.
    /// [`HandlerFinished`](crate::ErrorKind::HandlerFinished) when the handler has ended already.
    ///
    /// # Cancel safety
    /// When the future is dropped, the message is not acknowledged, although something that was published may have been sent.
    pub async fn ack(self) -> Result<(), Error> {
        self.0.acknowledge().await
    }
}

impl FromDelivery for Settle {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(Self(Arc::clone(delivery.scope())))
    }
}

impl fmt::Debug for Settle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settle")
    }
}
