//! Bus.

pub mod names;

pub use crate::names::{ExchangeName, NameError, QueueName, RoutingKey};
