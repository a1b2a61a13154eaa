//! The bus itself as an argument.

use super::FromDelivery;
use crate::delivery::Delivery;
use crate::outcome::Rejection;
use crate::publish::Publisher;
use crate::shutdown::Shutdown;

/// A publisher whose messages are held until the handler has succeeded, and sent before its message is acknowledged.
impl FromDelivery for Publisher {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(Publisher::of(delivery.scope()))
    }
}

impl FromDelivery for Shutdown {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(delivery.scope().shutdown())
    }
}
