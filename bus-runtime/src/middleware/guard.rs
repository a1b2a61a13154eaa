//! The innermost layer: the handler's timeout, and its panics as errors.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout_at;

use super::panicked;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::outcome::{HandlerError, Outcome, Rejection};
use crate::registration::{Closure, HandlerFn, judged};
use crate::seam;
use crate::topology::HandlerEntry;
use crate::transport::BoxFuture;

/// A handler in the form in which it is called.
pub(super) trait Callable: Clone + Send + Sync + 'static {
    fn call(&self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, Rejection>>;
}

impl Callable for HandlerFn {
    fn call(&self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, Rejection>> {
        self(delivery)
    }
}

impl Callable for Closure {
    fn call(&self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, Rejection>> {
        (self.0)(delivery)
    }
}

/// Calls the handler, at most for as long as its timeout. Waiting for a layer further out is not part of that time.
pub(super) async fn guarded(
    entry: Arc<HandlerEntry>,
    call: impl Callable,
    delivery: Delivery,
) -> Result<Outcome, BoxError> {
    let called = async {
        match instead(&entry, &delivery).await {
            Some(returned) => returned,
            None => call.call(delivery).await,
        }
    };
    Ok(match limited(entry.timeout, called).await {
        Ok(Ok(outcome)) => judged(outcome),
        Ok(Err(rejection)) => rejection.into(),
        Err(error) => Outcome::Failed(error),
    })
}

/// What a test wants to happen instead of the handler.
pub(super) async fn instead(
    entry: &Arc<HandlerEntry>,
    delivery: &Delivery,
) -> Option<Result<Outcome, Rejection>> {
    let instead = delivery.scope().hub.witness()?.instead(entry, delivery)?;
    instead.await
}

/// Lets a call go on for this time at most; a panic and the end of the time are errors.
pub(super) async fn limited<T>(
    timeout: Option<Duration>,
    call: impl Future<Output = T>,
) -> Result<T, HandlerError> {
    let began = seam::now();
    let mut call = pin!(AssertUnwindSafe(call).catch_unwind());
    // A call that ends without waiting needs no timer.
    let first = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    let ended = match (first, timeout) {
        (Poll::Ready(ended), _) => ended,
        (Poll::Pending, Some(timeout)) => match began.checked_add(timeout) {
            Some(end) => timeout_at(end, call).await.map_err(|_| HandlerError::timeout(timeout))?,
            None => call.await,
        },
        (Poll::Pending, None) => call.await,
    };
    ended.map_err(|panic| panicked(panic.as_ref()))
}
