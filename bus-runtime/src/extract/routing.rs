//! The routing key and its captured words as arguments.

use std::fmt::Display;
use std::str::FromStr;

use super::FromDelivery;
use crate::delivery::Delivery;
use crate::names::RoutingKey;
use crate::outcome::{DeadLetterReason, Rejection};

/// The key that the message was first published with.
impl FromDelivery for RoutingKey {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(delivery.metadata().routing_key().clone())
    }
}

/// A type that a word captured in a binding key can be taken as: anything that parses from text.
#[diagnostic::on_unimplemented(
    message = "a captured word can't be taken as `{Self}`",
    label = "does not parse from one word of the routing key",
    note = "implement `std::str::FromStr` for `{Self}`, with an error that implements `Display`"
)]
pub trait CapturedWord: Sized {
    /// Parses the word.
    ///
    /// # Errors
    /// Why the word is not a `Self`.
    fn from_word(word: &str) -> Result<Self, String>;
}

#[diagnostic::do_not_recommend]
impl<T> CapturedWord for T
where
    T: FromStr,
    T::Err: Display,
{
    fn from_word(word: &str) -> Result<Self, String> {
        word.parse().map_err(|error: T::Err| error.to_string())
    }
}

/// The word that `{name}` of the handler's binding key stands for in this message's routing key.
pub(crate) fn captured<T: CapturedWord>(delivery: &Delivery, name: &str) -> Result<T, Rejection> {
    let key = delivery.metadata().routing_key();
    let Some(word) = delivery.scope().capture(name, key) else {
        let message = format!("no binding key of the handler captures `{{{name}}}` in `{key}`");
        return Err(Rejection::new(DeadLetterReason::Routing, message));
    };
    T::from_word(word).map_err(|error| {
        let wanted = std::any::type_name::<T>();
        let message = format!("`{word}` in `{key}` is not a {wanted} for `{{{name}}}`: {error}");
        Rejection::new(DeadLetterReason::Routing, message)
    })
}
