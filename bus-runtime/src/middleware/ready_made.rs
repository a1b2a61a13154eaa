//! Layers that most apps want: a log of all calls, their durations, and a check before the handler.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{FromFn, Next, from_fn};
use crate::delivery::Delivery;
use crate::outcome::{Outcome, reject};
use crate::seam;

/// A layer of this module.
pub type ReadyMade = FromFn<Box<dyn Fn(Delivery, Next) -> Running + Send + Sync>>;

/// A call that has begun.
pub type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Writes every call into the log, at the level `INFO`: the handler, what became of the message, and how long it took. What fails
/// is in the log without it.
///
/// ```
/// let app = bus_runtime::app().layer(bus_runtime::middleware::logging());
/// ```
pub fn logging() -> ReadyMade {
    timing(|delivery, took, outcome| {
        let metadata = delivery.metadata();
        tracing::info!(
            handler = delivery.handler(),
            routing_key = %metadata.routing_key(),
            message_id = metadata.message_id(),
            attempt = metadata.attempt(),
            ?took,
            outcome = outcome.as_str(),
            "handled"
        );
    })
}

/// Tells how long each call took, the layers inside of this one included, and what came of it. A call that is interrupted, by a
/// shutdown or by a timeout further out, is not told.
///
/// ```
/// use bus_runtime::middleware;
///
/// let app = bus_runtime::app().layer(middleware::timing(|delivery, took, outcome| {
///     println!("{} took {took:?}: {}", delivery.handler(), outcome.as_str());
/// }));
/// ```
pub fn timing(observe: impl Fn(&Delivery, Duration, &Outcome) + Send + Sync + 'static) -> ReadyMade {
    let observe = Arc::new(observe);
    boxed(move |delivery, next| {
        let observe = Arc::clone(&observe);
        Box::pin(async move {
            let began = seam::now();
            let outcome = next.run(delivery.clone()).await;
            observe(&delivery, seam::now() - began, &outcome);
            outcome
        })
    })
}

/// Checks every message before its handler is called. One that does not pass is a dead letter with the reason `rejected`.
///
/// ```
/// use bus_runtime::middleware;
///
/// let app = bus_runtime::app().layer(middleware::validation(|delivery| {
///     match delivery.metadata().body_len() {
///         0 => Err("an empty body"),
///         _ => Ok(()),
///     }
/// }));
/// ```
pub fn validation<E: Display + 'static>(
    check: impl Fn(&Delivery) -> Result<(), E> + Send + Sync + 'static,
) -> ReadyMade {
    boxed(move |delivery, next| match check(&delivery) {
        Ok(()) => Box::pin(next.run(delivery)),
        Err(problem) => {
            let rejected = reject(problem);
            Box::pin(async move { rejected })
        }
    })
}

fn boxed(function: impl Fn(Delivery, Next) -> Running + Send + Sync + 'static) -> ReadyMade {
    from_fn(Box::new(function))
}
