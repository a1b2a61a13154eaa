//! Bus.

pub mod names;

pub mod binding_key;

pub mod routing;

pub use crate::{
    binding_key::{BindingKey, BindingKeyError},
    names::{ExchangeName, NameError, QueueName, RoutingKey},
};
