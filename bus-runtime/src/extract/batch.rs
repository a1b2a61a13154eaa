//! The arguments of a handler with `batch(..)`: each is made of many messages.

use std::any::Any;
use std::fmt;
use std::ops::Deref;

use super::{Arguments, CapturedWord, FromDelivery, State, captured};
use crate::delivery::{Delivery, Metadata};
use crate::outcome::Rejection;
use crate::publish::Publisher;
use crate::shutdown::Shutdown;

/// A type that a handler with `batch(..)` can take as an argument.
///
/// `Vec<T>` and [`Batch<T>`] of everything that is an argument for one message are, and [`State`], [`Publisher`] and
/// [`Shutdown`], of which there is one for all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a handler with `batch(..)`",
    label = "not made from many messages",
    note = "a handler with `batch(..)` takes `Vec<T>` or `Batch<T>` of anything that a handler of one message takes as `T`, and `State<T>`, `Publisher` and `Shutdown` as they are"
)]
pub trait FromBatch: Sized {
    /// What each message contributes.
    type Item: Send + 'static;

    /// Makes it from one message.
    ///
    /// # Errors
    /// A [`Rejection`] sends this message alone to the dead letters; the others go on without it.
    fn item(delivery: &Delivery) -> Result<Self::Item, Rejection>;

    /// Puts them together, in the order of the messages; `batch` stands for all of them, and has no body.
    ///
    /// # Errors
    /// A [`Rejection`] sends all messages to the dead letters; the handler is not called.
    fn collect(items: Vec<Self::Item>, batch: &Delivery) -> Result<Self, Rejection>;

    /// Tells what the argument needs of the app, for checks before anything is consumed.
    fn describe(arguments: &mut Arguments) {
        let _ = arguments;
    }
}

impl<T: FromDelivery + Send + 'static> FromBatch for Vec<T> {
    type Item = T;

    fn item(delivery: &Delivery) -> Result<T, Rejection> {
        T::from_delivery(delivery)
    }

    fn collect(items: Vec<T>, _batch: &Delivery) -> Result<Self, Rejection> {
        Ok(items)
    }

    fn describe(arguments: &mut Arguments) {
        T::describe(arguments);
    }
}

/// The messages of one call of a handler with `batch(..)`, each with what is known about it beside its body. It is a slice of
/// the arguments, and where the rest is not needed a `Vec<T>` does the same.
///
/// ```
/// use bus_runtime::prelude::*;
/// use bus_runtime::Batch;
///
/// #[react("page.viewed", batch(size = 500, wait = "2s"))]
/// async fn count(views: Batch<Json>) -> Vec<Outcome> {
///     views.outcomes(|view, message| match view["page"].as_str() {
///         Some(page) => {
///             println!("{page}, attempt {}", message.attempt());
///             ack()
///         }
///         None => reject("no page"),
///     })
/// }
/// ```
#[derive(Clone)]
pub struct Batch<T> {
    items: Vec<T>,
    messages: Vec<Metadata>,
}

impl<T> Batch<T> {
    /// What is known about each message beside its body, in the order of the arguments.
    #[must_use]
    pub fn messages(&self) -> &[Metadata] {
        &self.messages
    }

    /// The arguments, by value.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.items
    }

    /// One outcome for each message.
    pub fn outcomes<O>(&self, judge: impl FnMut(&T, &Metadata) -> O) -> Vec<O> {
        let mut judge = judge;
        self.items.iter().zip(&self.messages).map(|(item, message)| judge(item, message)).collect()
    }
}

impl<T> Deref for Batch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'b, T> IntoIterator for &'b Batch<T> {
    type Item = &'b T;
    type IntoIter = std::slice::Iter<'b, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Batch").field(&self.items).finish()
    }
}

impl<T: FromDelivery + Send + 'static> FromBatch for Batch<T> {
    type Item = (T, Metadata);

    fn item(delivery: &Delivery) -> Result<Self::Item, Rejection> {
        Ok((T::from_delivery(delivery)?, delivery.metadata().clone()))
    }

    fn collect(items: Vec<Self::Item>, _batch: &Delivery) -> Result<Self, Rejection> {
        let (items, messages) = items.into_iter().unzip();
        Ok(Self { items, messages })
    }

    fn describe(arguments: &mut Arguments) {
        T::describe(arguments);
    }
}

/// Of what is there once, there is one for the whole batch.
macro_rules! once_for_all {
    ($([$($parameter:ident)?] $argument:ty;)*) => {$(
        impl $(<$parameter: Send + Sync + 'static>)? FromBatch for $argument {
            type Item = ();

            fn item(_delivery: &Delivery) -> Result<(), Rejection> {
                Ok(())
            }

            fn collect(_items: Vec<()>, batch: &Delivery) -> Result<Self, Rejection> {
                Self::from_delivery(batch)
            }

            fn describe(arguments: &mut Arguments) {
                <Self as FromDelivery>::describe(arguments);
            }
        }
    )*};
}

once_for_all! {
    [T] State<T>;
    [] Publisher;
    [] Shutdown;
}

/// A word of the routing key that a handler with `batch(..)` takes of each message.
#[diagnostic::on_unimplemented(
    message = "the captured words of many messages can't be taken as `{Self}`",
    label = "not one word for each message",
    note = "take `Vec<T>` of anything that one captured word can be taken as"
)]
pub trait CapturedWords: Sized {
    /// What each message contributes.
    type Word: CapturedWord + Send + 'static;

    /// Puts them together.
    fn collect(words: Vec<Self::Word>) -> Self;
}

impl<T: CapturedWord + Send + 'static> CapturedWords for Vec<T> {
    type Word = T;

    fn collect(words: Vec<T>) -> Self {
        words
    }
}

/// What one message contributes to one argument.
pub type BatchItem = Box<dyn Any + Send>;

/// What a batch is called with: for each argument, in order, what the messages contribute to it.
#[derive(Debug)]
pub struct BatchCall {
    delivery: Delivery,
    columns: std::vec::IntoIter<Vec<BatchItem>>,
}

impl BatchCall {
    /// Turns what is there for each message into what is there for each argument.
    pub(crate) fn new(delivery: Delivery, messages: Vec<Vec<BatchItem>>) -> Self {
        let mut columns: Vec<Vec<BatchItem>> = Vec::new();
        for message in messages {
            for (position, item) in message.into_iter().enumerate() {
                if columns.len() == position {
                    columns.push(Vec::new());
                }
                columns[position].push(item);
            }
        }
        Self { delivery, columns: columns.into_iter() }
    }

    /// For the thread of a plain function to hold until it returns.
    pub(crate) fn hold(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        self.delivery.scope().hold()
    }

    /// The next argument, of which `I` is what each message contributes.
    fn next<I: 'static>(&mut self) -> Vec<I> {
        let column = self.columns.next().unwrap_or_default();
        // The same code has made the items, with the same type.
        column.into_iter().filter_map(|item| item.downcast().ok()).map(|item| *item).collect()
    }
}

/// What one message contributes to an argument.
pub(crate) fn item<T: FromBatch>(delivery: &Delivery) -> Result<BatchItem, Rejection> {
    Ok(Box::new(T::item(delivery)?))
}

/// The next argument.
pub(crate) fn column<T: FromBatch>(call: &mut BatchCall) -> Result<T, Rejection> {
    let items = call.next::<T::Item>();
    T::collect(items, &call.delivery)
}

/// The captured word of one message.
pub(crate) fn captured_item<T: CapturedWords>(
    delivery: &Delivery,
    name: &str,
) -> Result<BatchItem, Rejection> {
    Ok(Box::new(captured::<T::Word>(delivery, name)?))
}

/// The next argument, which is one of captured words.
pub(crate) fn captured_column<T: CapturedWords>(call: &mut BatchCall) -> T {
    T::collect(call.next::<T::Word>())
}
