//! Layers that are written as one async function.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::Mutex;
use tower_layer::Layer;
use tower_service::Service;

use super::HandlerService;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::outcome::{HandlerError, IntoOutcome, Outcome};
use crate::registration::judged;
use crate::transport::BoxFuture;

/// A layer of one function, which gets the message and what comes [next](Next).
///
/// It returns an [`Outcome`], or a `Result` of one with any error type, as a handler does. What it returns is what becomes of the
/// message, whether it has called what comes next or not.
///
/// ```
/// use bus_runtime::middleware;
/// use bus_runtime::prelude::*;
///
/// let app = bus_runtime::app().layer(middleware::from_fn(|delivery, next| async move {
///     if delivery.metadata().headers().get("tenant").is_none() {
///         return reject("no tenant");
///     }
///     let outcome = next.run(delivery).await;
///     println!("{outcome:?}");
///     outcome
/// }));
/// ```
///
/// The layers inside of it are waited for when it runs what comes next: the message is with the handler then. Layers that hold back
/// messages, such as a rate limit, hold them back in the broker when they stand outside of it.
pub fn from_fn<F, Fut>(function: F) -> FromFn<F>
where
    F: Fn(Delivery, Next) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: IntoOutcome,
{
    FromFn(Arc::new(function))
}

/// The layer that [`from_fn`] makes.
pub struct FromFn<F>(Arc<F>);

/// What a layer of [`from_fn`] wraps: the layers inside of it, and the handler.
#[must_use = "the handler is not called unless it is run"]
pub struct Next(Arc<Mutex<HandlerService>>);

impl Next {
    /// Calls what comes next. An error of a layer is a failure of the handler.
    ///
    /// # Cancel safety
    /// When the future is dropped, the handler is interrupted.
    pub async fn run(self, delivery: Delivery) -> Outcome {
        let called = {
            // One at a time asks whether the service is ready, and takes the place that it gets.
            let mut service = self.0.lock().await;
            match poll_fn(|cx| service.poll_ready(cx)).await {
                Ok(()) => Ok(service.call(delivery)),
                Err(error) => Err(error),
            }
        };
        let ended = match called {
            Ok(future) => future.await,
            Err(error) => Err(error),
        };
        ended.unwrap_or_else(|error| judged(Outcome::Failed(HandlerError::new(error))))
    }
}

impl<F, Fut> Layer<HandlerService> for FromFn<F>
where
    F: Fn(Delivery, Next) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: IntoOutcome,
{
    type Service = FromFnService<F>;

    fn layer(&self, inner: HandlerService) -> Self::Service {
        FromFnService { function: Arc::clone(&self.0), inner: Arc::new(Mutex::new(inner)) }
    }
}

/// A handler in the layer of [`from_fn`].
pub struct FromFnService<F> {
    function: Arc<F>,
    inner: Arc<Mutex<HandlerService>>,
}

impl<F, Fut> Service<Delivery> for FromFnService<F>
where
    F: Fn(Delivery, Next) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: IntoOutcome,
{
    type Response = Outcome;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Outcome, BoxError>>;

    /// Tells when what is inside is broken, so that it is built anew. Otherwise it is ready: `Next` waits.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let Ok(mut inner) = self.inner.try_lock() else { return Poll::Ready(Ok(())) };
        match inner.poll_ready(cx) {
            Poll::Ready(ready) => Poll::Ready(ready),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let (function, next) = (Arc::clone(&self.function), Next(Arc::clone(&self.inner)));
        Box::pin(async move { Ok(function(delivery, next).await.into_outcome()) })
    }
}

impl<F> Clone for FromFn<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn")
    }
}

impl<F> fmt::Debug for FromFnService<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFnService")
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}
