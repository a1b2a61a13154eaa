//! Code around the handlers: any `tower::Layer`, and the layers that every handler has.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::outcome::Outcome;
use crate::topology::HandlerEntry;
use crate::transport::BoxFuture;

mod guard;
mod panics;

#[cfg(feature = "cli")]
pub(crate) use panics::panic_text;
pub(crate) use panics::{carrying_place, note_places, panicked};

/// A handler with the layers around it: what a layer of [`App::layer`](crate::App::layer) wraps.
pub struct HandlerService(Box<dyn BoxedService>);

trait BoxedService: Send {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;
    fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>>;
}

impl HandlerService {
    /// The handler itself, with its timeout and its panics caught.
    pub(crate) fn of(entry: Arc<HandlerEntry>) -> Self {
        Self(Box::new(Innermost(entry)))
    }

    fn wrap<S>(service: S) -> Self
    where
        S: Service<Delivery, Response = Outcome> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self(Box::new(Wrapped(service)))
    }
}

impl Service<Delivery> for HandlerService {
    type Response = Outcome;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Outcome, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        self.0.call(delivery)
    }
}

impl fmt::Debug for HandlerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerService")
    }
}

struct Innermost(Arc<HandlerEntry>);

impl BoxedService for Innermost {
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>> {
        Box::pin(guard::guarded(Arc::clone(&self.0), delivery))
    }
}

struct Wrapped<S>(S);

impl<S> BoxedService for Wrapped<S>
where
    S: Service<Delivery, Response = Outcome> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>> {
        let called = self.0.call(delivery);
        Box::pin(async move { called.await.map_err(Into::into) })
    }
}

/// The layers of an app, outermost first.
#[derive(Clone, Default)]
pub(crate) struct Layers(Vec<Arc<dyn Fn(HandlerService) -> HandlerService + Send + Sync>>);

impl Layers {
    /// Adds a layer inside of those that are there.
    pub(crate) fn push<L>(&mut self, layer: L)
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Send + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.0.push(Arc::new(move |inner| HandlerService::wrap(layer.layer(inner))));
    }

    /// A handler with all layers around it.
    pub(crate) fn around(&self, entry: &Arc<HandlerEntry>) -> HandlerService {
        self.0.iter().rev().fold(HandlerService::of(Arc::clone(entry)), |inner, layer| layer(inner))
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layers({})", self.0.len())
    }
}
